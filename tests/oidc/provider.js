// A real OpenID Connect provider for the tests, on loopback: `node provider.js`, settings as JSON on standard input.
//
// Beside the provider's own endpoints, POST /test/... lets a test say who signs in next, rotate the keys or be turned away.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import process from 'node:process'

import Provider from 'oidc-provider'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const settings = JSON.parse(Buffer.concat(chunks))

const newKey = (kid) => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  alg: 'RS256',
})

const issuer = settings.issuer
let next = {} // who signs in next: { sub, claims, amr, acr, stepUp: { amr, acr }, deny }
let keys = [newKey('key-1')]
let provider

const build = () =>
  new Provider(issuer, {
    clients: settings.clients,
    jwks: { keys },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['name', 'roles', 'organisation', 'nested'] },
    conformIdTokenClaims: false,
    acrValues: ['urn:test:mfa'],
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...(next.claims ?? {}) }) }),
    // consent is not what is tested here: every client has its grant
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      })
      grant.addOIDCScope('openid profile')
      await grant.save()
      return grant
    },
    ttl: { Session: 3600, Interaction: 600, Grant: 3600, IdToken: 600, AccessToken: 600, AuthorizationCode: 60 },
  })

const read = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return parts.length ? JSON.parse(Buffer.concat(parts)) : {}
}

const routes = {
  '/test/next': async (body) => { next = body },
  // the new key signs at once, the old one is still published
  '/test/rotate': async () => {
    keys = [newKey(`key-${keys.length + 1}`), ...keys]
    provider = build()
  },
}

const interact = async (request, response) => {
  const details = await provider.interactionDetails(request, response)
  if (next.deny) {
    await provider.interactionFinished(request, response, { error: 'access_denied' })
    return
  }
  const login = { accountId: next.sub, amr: next.amr, acr: next.acr }
  if (details.params.acr_values && next.stepUp) Object.assign(login, next.stepUp)
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false })
}

provider = build()
createServer(async (request, response) => {
  const path = new URL(request.url, issuer).pathname
  if (routes[path]) {
    await routes[path](await read(request))
    response.end()
  } else if (path.startsWith('/interaction/')) {
    await interact(request, response).catch((error) => {
      response.statusCode = 500
      response.end(String(error))
    })
  } else {
    provider.callback()(request, response)
  }
}).listen(Number(new URL(issuer).port), '127.0.0.1', () => process.stdout.write('ready\n'))
