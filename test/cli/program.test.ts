/**
 * How the command line answers: exit codes, where words go, what JSON looks like. Driven in process; the real program is run in
 * `test/cli/main.test.ts`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { badUsage, createProgram, runProgram, say } from '../../src/cli/program.ts'
import { AppError } from '../../src/errors.ts'

/** Runs words against a small program; what it wrote and its exit code. */
async function run(...words: string[]) {
  const out: string[] = []
  const err: string[] = []
  const output = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) }
  const program = createProgram({ version: '1.2.3', output })
  const things = program.command('thing').description('things')
  things
    .command('show <id>')
    .option('--count <n>', 'how many')
    .action((id: string, _options, command) => {
      if (id === 'missing') throw new AppError('not_found', 'There is no such thing.')
      if (id === 'broken') throw new Error('the wire is cut')
      if (id === 'odd') throw badUsage('an id has a form')
      say(command, { id }, [`thing ${id}`], output)
    })
  const code = await runProgram(program, words, output)
  return { out: out.join(''), err: err.join(''), code }
}

test('a command that did its work exits 0 and says so on stdout only', async () => {
  assert.deepEqual(await run('thing', 'show', 'a'), { out: 'thing a\n', err: '', code: 0 })
})

test('every command takes --json and answers with one document', async () => {
  const { out, code } = await run('thing', 'show', 'a', '--json')
  assert.deepEqual(JSON.parse(out), { id: 'a' })
  assert.equal(code, 0)
})

test('a refusal exits 1 with one sentence on stderr', async () => {
  assert.deepEqual(await run('thing', 'show', 'missing'), { out: '', err: 'licet: There is no such thing.\n', code: 1 })
  const { err, code } = await run('thing', 'show', 'missing', '--json')
  assert.deepEqual([JSON.parse(err), code], [{ error: 'not_found', message: 'There is no such thing.' }, 1])
})

test('an unexpected error exits 1 without a stack', async () => {
  const { err, code } = await run('thing', 'show', 'broken')
  assert.deepEqual([err, code], ['licet: Something went wrong: the wire is cut\n', 1])
})

test('bad usage exits 2', async () => {
  for (const words of [
    [],
    ['nope'],
    ['thing'],
    ['thing', 'show'],
    ['thing', 'show', 'a', '--nope'],
    ['thing', 'show', 'a', 'b', '--count'],
    ['thing', 'show', 'odd'],
  ]) {
    const { out, err, code } = await run(...words)
    assert.equal(code, 2, words.join(' '))
    assert.equal(out, '', words.join(' '))
    assert.notEqual(err, '', words.join(' '))
  }
})

test('help and version exit 0 on stdout', async () => {
  for (const words of [['--help'], ['thing', '--help'], ['thing', 'show', '--help']]) {
    const { out, code } = await run(...words)
    assert.equal(code, 0)
    assert.match(out, /Usage: licet/)
  }
  assert.deepEqual(await run('--version'), { out: '1.2.3\n', err: '', code: 0 })
})
