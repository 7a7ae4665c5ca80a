/**
 * Which Node the launcher picks, and that its files parse on Nodes that cannot run the server.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

interface Launcher {
  pickNode(running: string, bundled: string | undefined): string | undefined
}

// The launcher is plain JavaScript, because it must run where TypeScript does not.
const { pickNode } = (await import(new URL('../../scripts/node.mjs', import.meta.url).href)) as Launcher

test('the running Node is taken from 24 on, else the bundled one, else the running one from 22.13 on', () => {
  assert.equal(pickNode('24.0.0', '/bundled'), process.execPath)
  assert.equal(pickNode('26.1.0', undefined), process.execPath)
  assert.equal(pickNode('20.20.2', '/bundled'), '/bundled')
  assert.equal(pickNode('22.13.0', '/bundled'), '/bundled')
})

test('the launcher uses nothing that a Node of 2020 cannot parse', () => {
  for (const file of ['node', 'build', 'launch', 'start', 'licet', 'run']) {
    const text = readFileSync(new URL(`../../scripts/${file}.mjs`, import.meta.url), 'utf8')
    assert.doesNotMatch(
      text,
      /\?\?=|\|\|=|&&=|^\s*(static \{|using )|#\w+ in |Object\.hasOwn|\.at\(|import .* with \{/m,
      file,
    )
  }
})
