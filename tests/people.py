"""The people of the tests that run whole jobs. Their values are marks: nothing else is called so.

`canary` looks for them wherever a job could have left them. They exist nowhere, as those of `examples` don't.
"""

MET = "edu.persistent_absence_3t"
SMALL_LIST = """person_id,household_id,forename,surname,dob,sex,postcode,met_indicators,consent,in_education
a1,h1,Abelquist,Quilterwick,1981-03-02,m,LS1 4AP,edu.persistent_absence_3t,yes,no
a2,h1,Brunaquist,Quilterwick,2014-05-06,f,LS1 4AP,edu.persistent_absence_3t,yes,yes
b1,h2,Cedricquist,Rostrevorby,1979-11-30,m,LS2 7EW,edu.persistent_absence_3t,yes,no
b2,h2,Daliaquist,Rostrevorby,2012-01-17,f,LS2 7EW,edu.persistent_absence_3t,yes,yes
c1,h3,Edgarquist,Sandifordham,1986-08-21,m,LS6 3HN,edu.persistent_absence_3t,yes,no
c2,h3,Fionaquist,Sandifordham,2015-10-09,f,LS6 3HN,edu.persistent_absence_3t,yes,yes
"""
"""A council's list for processes: whom most jobs are about."""
WEB_LIST = """person_id,household_id,forename,surname,dob,sex,postcode,met_indicators,consent,in_education
1,h1,Annquill,Marchquill,1985-03-02,f,LS1 4AP,crime.asb_intervention_12m,yes,no
2,h1,Benquill,Marchquill,2014-05-06,m,LS1 4AP,crime.asb_intervention_12m,yes,yes
3,h1,Catquill,Marchquill,2016-07-08,f,LS1 4AP,crime.asb_intervention_12m,yes,yes
"""
"""A list for the API in this process."""
HEADER = (
    "person_id,household_id,forename,surname,dob,sex,postcode,nhs_number,nino,uprn,met_indicators,consent,"
    "in_education\n"
)
HOUSEHOLD_LIST = f"""{HEADER}\
Qanary-P-01,Qanary-H-01,Xanthippe-Zoë,O'Quaxelbury,1983-07-19,f,ZE29 8XJ,9434765919,JX482913C,,{MET},yes,no
Qanary-P-02,Qanary-H-01,Juniorwhit,O'Quaxelbury,2014-11-23,m,ZE29 8XJ,9434765870,,100094837261,{MET},yes,yes
Qanary-P-03,Qanary-H-02,Ysoldequin,Vrumblethwaite,1979-04-28,f,KW17 9QZ,4010232137,JX482914A,,{MET},yes,no
Qanary-P-04,Qanary-H-02,Juniorzeph,Vrumblethwaite,2012-08-31,f,KW17 9QZ,,,100094837262,{MET},yes,yes
Qanary-P-05,Qanary-H-02,Withheldine,Vrumblethwaite,1948-12-17,f,KW17 9QZ,,,100094837262,{MET},no,no
"""
BAD_LIST = f"""{HEADER}\
Qanary-B-01,Qanary-H-09,=Formulaquist,Badenquell,1983-07-19,f,ZE29 8XJ,9434765919,,,,yes,no
Qanary-B-02,Qanary-H-09,Faultabel,Badenquell,31/31/1983,f,NOWHEREQZ,9434765918,JX48291,abcuprnq,qcode.q,maybeq,no
"""
"""The lists of `test_canary`, the job that is looked at closest: every value of them is a mark."""
_LONG = 7
_NAMED = ("forename", "surname")


def marks_of(*lists: str) -> list[str]:
    """What of these lists can't stand anywhere by chance: their long names."""
    found = set()
    for text in lists:
        header, *rows = (line.split(",") for line in text.splitlines() if line)
        found |= {row[header.index(column)].lstrip("=") for row in rows for column in _NAMED}
    return sorted(mark for mark in found if len(mark) >= _LONG)


EVERYBODY = marks_of(SMALL_LIST, WEB_LIST, HOUSEHOLD_LIST, BAD_LIST)
"""Every long name of everybody above."""
