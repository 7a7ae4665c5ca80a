/**
 * MCP end to end: three generations of the official SDK's own client against the example MCP server. Each discovers, registers itself, brings a metadata
 * document or is registered already, signs a person in, calls a tool, is stepped up, refreshes, and is cut off by one press under connected apps.
 * Once the person sits in real Chromium.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { browserMissing, launchBrowser, newVisitor } from '../support/browser.ts'
import { type Documents, startDocuments } from '../support/documents.ts'
import { freePort, type Licet, newAccount, operator, PASSWORD, root, startLicet } from '../support/licet.ts'
import { type Generation, generations, Keeper, SDK_REDIRECT } from '../support/mcp-generations.ts'
import { Person } from '../support/person.ts'

let licet: Licet
let documents: Documents
let server: ChildProcess
let resource: string

before(async () => {
  const port = await freePort()
  resource = `http://localhost:${port}/mcp`
  documents = await startDocuments()
  const scopes = { scopes: ['mcp:read', 'mcp:write'], default_scopes: ['mcp:read'] }
  licet = await startLicet({
    file: { resources: [{ identifier: resource, name: 'Notes', ...scopes }], outbound: documents.outbound },
  })
  const wanted = { name: 'Notes server', type: 'service', resourceServer: resource } as const
  const { app, clientSecret = '' } = await licet.core.apps.create(operator, wanted)
  server = spawn(process.execPath, [join(root, 'examples/mcp-server/server.js')], {
    env: {
      PATH: process.env['PATH'] ?? '',
      ISSUER: licet.issuer,
      RESOURCE: resource,
      PORT: String(port),
      CLIENT_ID: app.clientId,
      CLIENT_SECRET: clientSecret,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => server.stdout?.once('data', resolve))
})
after(async () => {
  server?.kill()
  await licet?.close()
  await documents?.close()
})

/** Somebody with a browser. */
interface Human {
  /** From the authorization request to the address the browser leaves for. */
  signIn(url: string): Promise<URL>
  /** Presses the one button under connected apps. */
  cutOff(): Promise<void>
}

async function overHttp(): Promise<Human> {
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  return {
    signIn: (url) => person.authorize(url, { email }),
    async cutOff() {
      const shown = await person.open('/settings/apps')
      await person.submit(shown, {}, '/settings/apps/stop')
    },
  }
}

async function inChromium(t: TestContext): Promise<Human> {
  const { email } = await newAccount(licet.core)
  const browser = await launchBrowser()
  t.after(() => browser.close())
  const { page } = await newVisitor(browser)
  // Nobody listens at the client's address here: where the browser goes is what counts.
  let left: ((url: URL) => void) | undefined
  await page.route(`${SDK_REDIRECT}*`, async (route) => {
    left?.(new URL(route.request().url()))
    await route.fulfill({ body: 'done' })
  })
  return {
    async signIn(url) {
      const leaving = new Promise<URL>((resolve) => {
        left = resolve
      })
      await page.goto(url)
      if (await page.locator('#password').count()) {
        await page.fill('#email', email)
        await page.fill('#password', PASSWORD)
        await page.click('.primary')
      }
      await page.click('button[value=allow]')
      return leaving
    },
    async cutOff() {
      await page.goto(`${licet.issuer}/settings/apps`)
      if (await page.locator('#password').count()) {
        await page.fill('#email', email)
        await page.fill('#password', PASSWORD)
        await page.click('.primary')
      }
      await page.click('.vendor .danger')
      await page.locator('.notice.good').waitFor()
    },
  }
}

async function story(generation: Generation, keeper: Keeper, human: Human): Promise<void> {
  /** Runs `act`; when it needs a sign-in, the person gives it and `act` runs again. */
  const run = async <T>(act: () => Promise<T>): Promise<T> => {
    keeper.asked = undefined
    try {
      return await act()
    } catch (error) {
      const asked = keeper.asked as URL | undefined
      if (!asked) throw error
      assert.ok(generation.isUnauthorized(error), String(error))
      const back = await human.signIn(asked.href)
      assert.ok(back.searchParams.get('code'), back.href)
      await generation.finish(resource, keeper, back)
      return act()
    }
  }
  const connect = () => generation.connect(resource, keeper)

  const session = await run(connect)
  assert.match(await session.call('list_notes'), /no notes/)
  const first = decodeJwt(keeper.kept?.access_token ?? '')
  assert.equal(first.aud, resource)
  assert.deepEqual(resourceScopes(keeper), ['mcp:read'])

  await stepUp(generation, keeper, human, run)

  // Refresh without asking anybody: the access token is thrown away, the refresh token works.
  const before = keeper.kept as NonNullable<Keeper['kept']>
  keeper.kept = { ...before, access_token: 'gone' }
  keeper.asked = undefined
  await (await connect()).call('list_notes')
  assert.equal(keeper.asked, undefined)
  assert.notEqual(keeper.kept.refresh_token, before.refresh_token)

  // One press ends it: the next refresh is refused and the client has to ask again.
  await human.cutOff()
  keeper.kept = { ...(keeper.kept as NonNullable<Keeper['kept']>), access_token: 'gone' }
  await assert.rejects(connect())
  assert.ok(keeper.asked, 'the client was sent to sign in again')
}

type Run = <T>(act: () => Promise<T>) => Promise<T>

/** A tool needs another scope: the client goes to the person, and the earlier scope stays. */
async function stepUp(generation: Generation, keeper: Keeper, human: Human, run: Run): Promise<void> {
  if (generation.name === 'SDK 1.13') {
    // It knows no step-up: a 403 is an error to it. Asked for anew by hand, as its documentation says.
    const { origin } = new URL(licet.issuer)
    keeper.kept = undefined
    await assert.rejects(generation.connect(resource, keeper))
    const asked = new URL((keeper.asked as unknown as URL).href)
    assert.equal(asked.origin, origin)
    asked.searchParams.set('scope', 'mcp:read mcp:write')
    await generation.finish(resource, keeper, await human.signIn(asked.href))
  }
  const session = await run(() => generation.connect(resource, keeper))
  assert.match(await run(() => session.call('add_note')), /added/)
  assert.deepEqual(resourceScopes(keeper), ['mcp:read', 'mcp:write'])
}

/** The second line asks for `offline_access` as well, because it is advertised. */
function resourceScopes({ kept }: Keeper): string[] {
  const scopes = String(decodeJwt(kept?.access_token ?? '')['scope']).split(' ')
  return scopes.filter((scope) => scope !== 'offline_access').sort()
}

const ways: Readonly<Record<string, (generation: Generation, keeper: Keeper) => Promise<void>>> = {
  'registers itself': async () => {},
  'is a metadata document': async ({ name, knowsDocuments }, keeper) => {
    const url = documents.publish(`/${name.replaceAll(' ', '-')}.json`, {
      client_name: 'Agent',
      redirect_uris: ['http://localhost/callback'],
    })
    // To a generation that does not know documents, the address is an id like any other, given by hand.
    if (knowsDocuments) keeper.clientMetadataUrl = url
    else keeper.client = { client_id: url }
  },
  'is registered already': async (_generation, keeper) => {
    const { app } = await licet.core.apps.create(operator, {
      name: 'Registered agent',
      type: 'native',
      redirectUris: [SDK_REDIRECT],
      scopes: ['mcp:read'],
      optionalScopes: ['mcp:write'],
    })
    keeper.client = { client_id: app.clientId }
  },
}

for (const generation of generations) {
  for (const [way, introduce] of Object.entries(ways)) {
    test(`${generation.name} ${way}: it signs in, calls, steps up, refreshes and is cut off`, async () => {
      const keeper = new Keeper()
      await introduce(generation, keeper)
      await story(generation, keeper, await overHttp())
    })
  }
}

test('SDK 2.4 registers itself, with a person in real Chromium', { skip: browserMissing() }, async (t) => {
  const generation = generations.at(-1) as Generation
  await story(generation, new Keeper(), await inChromium(t))
})
