import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addSubjectLinkCommands } from '../../src/cli/subject-link.ts'
import { createSubjectLinks } from '../../src/federation/subject-links.ts'
import { createRunner } from '../support/commands.ts'
import { openTestStore } from '../support/open-store.ts'

test('an operator links people of an issuer to accounts, sees the links and takes them away; nobody is linked twice', async (t) => {
  const desk = openTestStore(t)
  const links = createSubjectLinks({ ...desk, findByEmail: async () => undefined })
  const accounts = { getByName: async (name: string) => ({ id: `id of ${name}`, email: name }) }
  const openCore = async () => ({ accounts, federation: { links }, close: async () => {} })
  const run = createRunner((program, io) => addSubjectLinkCommands(program, openCore, io))
  const who = ['--issuer', 'https://idp.example', '--subject', 'ada']

  const made = await run(['subject-link', 'create', '--account', 'ada@example.test', ...who, '--json'])
  assert.deepEqual([made.code, made.err], [0, ''])
  const { account, by } = made.json<{ account: string; by: string }>()
  assert.deepEqual([account, by], ['id of ada@example.test', 'operator'])
  assert.equal((await run(['subject-link', 'create', '--account', 'ada@example.test', ...who])).code, 0)
  assert.equal((await run(['subject-link', 'create', '--account', 'eve@example.test', ...who])).code, 1)

  const listed = await run(['subject-link', 'list', '--account', 'ada@example.test', '--json'])
  assert.deepEqual(
    listed.json<{ items: { subject: string }[] }>().items.map(({ subject }) => subject),
    ['ada'],
  )
  assert.equal((await run(['subject-link', 'remove', ...who])).code, 0)
  assert.equal((await run(['subject-link', 'remove', ...who])).code, 1)
  assert.equal((await run(['subject-link', 'create', '--account', 'eve@example.test', ...who])).code, 0)
})
