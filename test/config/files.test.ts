/**
 * The configuration files that come with Licet, and the reference made from the schema.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { documents } from '../../scripts/generate-docs.ts'
import { loadConfig } from '../../src/config/load.ts'
import { listOptions } from '../../src/config/reference.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** The default file with every option in force: `#name:` is an option, `# text` is prose. */
function uncommented(text: string): string {
  return text.replace(/^#(?=[a-z_]+:|\s{2,}\S)/gm, '')
}

function load(yaml: string, env: Record<string, string> = {}) {
  const readFile = (path: string) => (path.endsWith('licet.yaml') ? yaml : assert.fail(`reads ${path}`))
  return loadConfig({ env, cwd: '/srv', readFile, keepSecret: () => 'x'.repeat(40), cores: 1 })
}

test('the default file loads and changes nothing', () => {
  assert.deepEqual(load(read('config/licet.yaml')), load(''))
})

test('the default file loads with every comment taken away', () => {
  const loaded = load(uncommented(read('config/licet.yaml')))
  assert.ok('config' in loaded, JSON.stringify(loaded))
  assert.equal(loaded.config.apps[0]?.clientId, 'console')
  assert.equal(loaded.config.scopes['billing:read']?.family, 'billing')
})

test('the default file shows the default of every option that has one', () => {
  const shown = parse(uncommented(read('config/licet.yaml'))) as Record<string, unknown>
  const examples = /^(scopes|resources|apps|upstreams|claims|trusted_issuers)\b/
  for (const { path, standard, holds } of listOptions()) {
    if (holds || standard === undefined || examples.test(path)) continue
    const value = path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], shown)
    assert.deepEqual(value, standard, path)
  }
})

test('the production file starts with a secret and refuses to without', () => {
  const production = read('config/production.yaml')
  assert.ok('config' in load(production, { LICET_SECRET: 'x'.repeat(40) }))
  assert.ok('problems' in load(production))
})

test('every option has a sentence, and every sentence ends', () => {
  for (const { path, describe } of listOptions()) assert.match(describe, /^[A-Z].*\.$/, path)
})

for (const [path, render] of Object.entries(documents)) {
  test(`${path} is current (npm run docs)`, () => assert.equal(read(path), render()))
}
