"""Household lists and person files: formats to domain types, with an error for every bad row."""

from gateway.intake.limits import PERSON_FILE_LIMITS, Limits
from gateway.intake.read import Intake, PersonFile, read_household_list, read_person_file
from gateway.intake.rejects import BadListError, RowError, rejects_csv

__all__ = [
    "PERSON_FILE_LIMITS",
    "BadListError",
    "Intake",
    "Limits",
    "PersonFile",
    "RowError",
    "read_household_list",
    "read_person_file",
    "rejects_csv",
]
