/**
 * Runs commands in this process, over the real store of a test: their words, their exit code, and what stood on standard input.
 * What the commands are is decided by the suite that adds them.
 */
import { Readable } from 'node:stream'
import type { Command } from 'commander'
import { createProgram, type Output, runProgram } from '../../src/cli/program.ts'
import type { Desk } from '../../src/cli/with-core.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  /** What `--json` printed. */
  json<T = Record<string, unknown>>(): T
}

/** The function that runs one command line; `typed` is what stands on standard input. */
export function createRunner(addCommands: (program: Command, desk: Desk) => void) {
  return async (words: readonly string[], typed = ''): Promise<Ran> => {
    let [out, err] = ['', '']
    const output: Output = {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
    }
    const program = createProgram({ version: '0.0.0', output })
    addCommands(program, { output, input: Readable.from([Buffer.from(typed)]) })
    const code = await runProgram(program, words, output)
    return { code, out, err, json: <T>() => JSON.parse(out) as T }
  }
}
