/**
 * Sign-ins at the default cost of a password, against the bare hash function on the same cores; and what the token endpoint answers meanwhile,
 * against what it answers when nobody signs in.
 */
import { fileURLToPath } from 'node:url'
import { registerApp } from '../test/support/app-client.ts'
import { operator, PASSWORD } from '../test/support/licet.ts'
import { formsOf, Person } from '../test/support/person.ts'
import { startRedis } from '../test/support/redis.ts'
import { median, spread } from './figures.ts'
import { type LicetServer, serviceApp, startLicet } from './licet.ts'
import { measure, type Request, tokenRequest } from './load.ts'
import { type Measured, message, start } from './processes.ts'
import type { Size } from './sections.ts'

/** Sign-ins under way at once: enough that the two hashing threads never wait for work. */
const AT_ONCE = 8

interface Round {
  readonly perSecond: number
  readonly cpuMs: number
}

export async function signIns(size: Size): Promise<void> {
  console.log(
    '\nSign-ins from the password to the code, each in a browser that the account knows, against the bare hash function',
  )
  const redis = await startRedis()
  for (const choice of [{ name: 'Licet on Redis', store: redis.url }, { name: 'Licet on SQLite' }])
    await compare(await startLicet({ ...choice, file: { rate_limits: LIMITS_OFF } }), size)
  await redis.stop()
}

async function compare(server: LicetServer, { rounds, quick }: Size): Promise<void> {
  const amount = quick ? 8 : 120
  const bare = start({ script: fileURLToPath(new URL('./hash.ts', import.meta.url)) })
  try {
    await message(bare, 'isReady')
    const begin = await desk(server, quick ? 8 : 60)
    const token = tokenRequest(await serviceApp(server))
    const idle = () => measure(server, token, { amount: quick ? 20 : 400, connections: 2 })
    const [ours, theirs] = [[], []] as [Round[], Round[]]
    const p99s: { idle: number; meanwhile: number }[] = []
    await idle()
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(await hashing(bare, amount))
      ours.push(await signingIn(server, await begin(amount), amount))
      const before = await idle()
      p99s.push({ idle: before.p99Ms, meanwhile: await tokensMeanwhile(server, token, begin, quick ? 8 : 200) })
    }
    print(server.name, { ours, theirs, p99s })
  } finally {
    await bare.stop()
    await server.stop()
  }
}

const LIMITS_OFF = Object.fromEntries(
  ['sign_in_address', 'sign_in_account', 'token_client', 'authorize_address', 'api_credential'].map((name) => [
    name,
    'off',
  ]),
)

type SignIn = () => Promise<void>

/** Makes sign-ins that are one POST away from done. */
async function desk(server: LicetServer, count: number): Promise<(amount: number) => Promise<SignIn[]>> {
  const app = await registerApp(server, { name: 'Bench web', firstParty: true })
  const emails = await manyPeople(server, count)
  let next = 0
  const query = new URLSearchParams({
    client_id: app.clientId,
    response_type: 'code',
    redirect_uri: app.redirectUri,
    scope: 'openid',
    code_challenge: 'c'.repeat(43),
    code_challenge_method: 'S256',
  })
  const begin = async ({ email, person }: { email: string; person: Person }): Promise<SignIn> => {
    const page = await person.open(`/authorize?${query}`)
    const form = formsOf(page.body).find(({ action }) => action.includes('/sign-in'))
    const kept = form?.fields.filter(([name]) => name === 'csrf') ?? []
    return async () => {
      const fields: [string, string][] = [...kept, ['email', email], ['password', PASSWORD]]
      const done = await person.follow(await person.send('POST', form?.action ?? '', fields))
      if (!new URL(done.url).searchParams.has('code')) throw new Error(`not signed in: ${done.status} ${done.url}`)
    }
  }
  // Each once in a browser of their own, which the account knows from then on, and signed out again.
  const people = emails.map((email) => ({ email, person: new Person(server.issuer, server.origin) }))
  for (const one of people) await (await begin(one))()
  for (const { person } of people) forgetSession(person)
  return async (amount) => {
    const all: SignIn[] = []
    for (let index = 0; index < amount; index += 1) {
      const { email, person } = people[next++ % people.length] ?? (people[0] as (typeof people)[number])
      all.push(await begin({ email, person: person.copy() }))
    }
    return all
  }
}

function forgetSession(person: Person): void {
  for (const key of person.cookies.keys()) if (key.startsWith('__Host-licet_session')) person.cookies.delete(key)
}

/** One account that signs in hundreds of times would measure its list of sessions. */
async function manyPeople({ core }: LicetServer, count: number): Promise<string[]> {
  const passwordDigest = await core.passwords.hash(PASSWORD)
  const made = Array.from({ length: count }, (_, index) =>
    core.accounts.create(operator, { email: `bench-${index}@example.test`, passwordDigest, emailVerified: true }),
  )
  return (await Promise.all(made)).map(({ email }) => email)
}

async function inLines(acts: readonly SignIn[], isOver: () => boolean = () => false): Promise<void> {
  const left = [...acts]
  const line = async () => {
    for (let next = left.pop(); next && !isOver(); next = left.pop()) await next()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, line))
}

async function signingIn(server: LicetServer, acts: readonly SignIn[], amount: number): Promise<Round> {
  const before = await server.process.usage()
  const began = performance.now()
  await inLines(acts)
  const seconds = (performance.now() - began) / 1000
  const { cpuMicroseconds } = await server.process.usage()
  return { perSecond: amount / seconds, cpuMs: (cpuMicroseconds - before.cpuMicroseconds) / 1000 / amount }
}

async function hashing(bare: Measured, checks: number): Promise<Round> {
  const before = await bare.usage()
  const done = message<{ checked: number; seconds: number }>(bare, 'checked', 120_000)
  bare.child.send({ checks })
  const { seconds } = await done
  const { cpuMicroseconds } = await bare.usage()
  return { perSecond: checks / seconds, cpuMs: (cpuMicroseconds - before.cpuMicroseconds) / 1000 / checks }
}

/** The token endpoint's p99 while people sign in, as many at once as the server lets. */
async function tokensMeanwhile(
  server: LicetServer,
  token: Request,
  begin: (amount: number) => Promise<SignIn[]>,
  amount: number,
): Promise<number> {
  const acts = await begin(amount)
  let over = false
  const signing = inLines(acts, () => over)
  const { p99Ms } = await measure(server, token, { amount: 2 * amount, connections: 2 })
  over = true
  await signing
  return p99Ms
}

interface Found {
  readonly ours: readonly Round[]
  readonly theirs: readonly Round[]
  readonly p99s: readonly { idle: number; meanwhile: number }[]
}

function print(server: string, { ours, theirs, p99s }: Found): void {
  const line = (name: string, list: readonly Round[]) =>
    `  ${name.padEnd(24)} ${median(list.map((one) => one.perSecond))
      .toFixed(1)
      .padStart(6)}/s ` +
    `±${spread(list.map((one) => one.perSecond)).toFixed(0)} %, ${median(list.map((one) => one.cpuMs)).toFixed(1)} ms CPU each`
  const ratio = (pick: (ours: Round, theirs: Round) => number) =>
    median(ours.map((one, round) => pick(one, theirs[round] ?? one)))
  console.log(line('bare argon2', theirs))
  console.log(
    `${line(server, ours)}  ratio ${ratio((a, b) => a.perSecond / b.perSecond).toFixed(2)} ` +
      `(by CPU ${ratio((a, b) => b.cpuMs / a.cpuMs).toFixed(2)}), aim 0.90`,
  )
  const [idle, meanwhile] = [median(p99s.map((one) => one.idle)), median(p99s.map((one) => one.meanwhile))]
  console.log(
    `  token endpoint p99: ${idle.toFixed(1)} ms idle, ${meanwhile.toFixed(1)} ms meanwhile, ` +
      `ratio ${median(p99s.map((one) => one.meanwhile / one.idle)).toFixed(1)}, aim 2.0`,
  )
}
