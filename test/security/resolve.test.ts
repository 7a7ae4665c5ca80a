/** Names to addresses without the operating system's blocking resolver. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createResolve } from '../../src/security/resolve.ts'

test('localhost stays on this machine, and the hosts file is read before DNS', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'licet-hosts-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const hostsFile = join(directory, 'hosts')
  writeFileSync(
    hostsFile,
    '127.0.0.1 localhost evil\n# 1.1.1.1 hidden.test\n10.1.2.3\tHook.test  other.test # third.test\n2001:db8::7 hook.test\n',
  )
  const resolve = createResolve({ hostsFile })
  const never = new AbortController().signal
  assert.deepEqual(await resolve('localhost', never), ['127.0.0.1', '::1'])
  assert.deepEqual(await resolve('a.LOCALHOST.', never), ['127.0.0.1', '::1'])
  assert.deepEqual(await resolve('HOOK.test.', never), ['10.1.2.3', '2001:db8::7'])
  assert.deepEqual(await resolve('other.test', never), ['10.1.2.3'])
})
