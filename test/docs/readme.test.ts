/**
 * The README as a newcomer types it: every command of the flow and of the keys is run by a shell as it stands, against a running server. Only the address
 * is another one, and a person signs in where the README sends one.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type Licet, newAccount, root, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

const run = promisify(execFile)
const readme = readFileSync(join(root, 'README.md'), 'utf8')
let licet: Licet

before(async () => {
  licet = await startLicet()
})
after(() => licet?.close())

/** The shell blocks of a section, as they stand. */
function blocksOf(section: string): string[] {
  const [, text = ''] = readme.split(`\n## ${section}\n`)
  const [own = ''] = text.split('\n## ')
  return [...own.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block)
}

/** Runs a block in a shell; what it printed. Variables are those that a reader would have set by now. */
async function type(block: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const { config, directory } = licet
  const env = {
    PATH: `${process.env['PATH']}`,
    HOME: process.env['HOME'] ?? '/',
    LICET_CONFIG: join(directory, 'licet.yaml'),
    LICET_PORT: String(config.port),
    LICET_DATA_DIR: directory,
    LICET_STORE_URL: config.storeUrl,
    LICET_SECRET: config.secrets[0] ?? '',
    ...variables,
  }
  const typed = block.replaceAll('http://localhost:4000', licet.issuer)
  const { stdout } = await run('bash', ['-ec', typed.replace(/^curl /gm, 'curl -sS ')], { cwd: root, env })
  return stdout
}

const printed = (text: string, name: RegExp): string => {
  const found = name.exec(text)?.[1]
  assert.ok(found, `${name} in ${text}`)
  return found
}

test('the flow with curl ends with a token that is refreshed, looked at and ended', async () => {
  const [register = '', send = '', redeem = '', use = '', ...rest] = blocksOf('The flow with curl')
  assert.ok(use, 'four blocks')
  assert.deepEqual(rest, [])
  const made = await type(register)
  const client = {
    CLIENT_ID: printed(made, /client_id\W+([\w-]{8,})/),
    CLIENT_SECRET: printed(made, /client_secret\W+([\w-]{20,})/),
  }
  const sent = await type(`${send}\necho "verifier=$VERIFIER"`, client)
  const account = await newAccount(licet.core)
  const back = await new Person(licet.issuer).authorize(printed(sent, /^(http\S+)$/m), account)
  assert.equal(back.origin + back.pathname, 'http://localhost:8080/callback')
  assert.equal(back.searchParams.get('iss'), licet.issuer)
  const code = { CODE: back.searchParams.get('code') ?? '', VERIFIER: printed(sent, /^verifier=(\S+)$/m) }
  const tokens = JSON.parse(await type(redeem, { ...client, ...code })) as Record<string, string>
  assert.ok(tokens['id_token'] && tokens['refresh_token'])
  const held = { ACCESS_TOKEN: tokens['access_token'] ?? '', REFRESH_TOKEN: tokens['refresh_token'] ?? '' }
  const [refreshed = '', looked = '', ended = '', ...more] = (await type(separate(use), { ...client, ...held })).split(
    '\n--\n',
  )
  assert.match((JSON.parse(refreshed) as { access_token: string }).access_token, /^ey/)
  assert.equal((JSON.parse(looked) as { active: boolean }).active, true)
  assert.equal(ended.trim(), '')
  assert.deepEqual(more, [''])
})

test('a key is made on the command line and used with curl', async () => {
  const [block = ''] = blocksOf('Keys')
  const [make = '', use = ''] = block.trim().split('\n')
  await newAccount(licet.core, 'you@example.com')
  const made = await type(make)
  const key = printed(made, /(licet_key_\w+)/)
  assert.ok(Array.isArray((JSON.parse(await type(use, { API_KEY: key })) as { items: unknown }).items))
})

/** A line between the answers of the commands of a block. */
function separate(block: string): string {
  return block.replace(/\n(?=curl )/g, '\nprintf "\\n--\\n"\n').concat('printf "\\n--\\n"\n')
}
