/**
 * Secrets come by standard input or at a prompt that shows nothing, never as an argument: arguments stand in process lists and histories.
 */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { badUsage } from './program.ts'

/** Where secrets are read from; tests pass their own. */
export interface Input extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
}

const LIMIT = 4096

/** One secret: a line typed at `prompt` when a person sits there, else the whole input without its last line break. */
export async function readSecret(prompt: string, input: Input = process.stdin): Promise<string> {
  const secret = input.isTTY ? await ask(prompt, input) : await readAll(input)
  if (secret === '') throw badUsage('no secret was given on standard input')
  return secret
}

async function readAll(input: Input): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of input) {
    const bytes = Buffer.from(part)
    length += bytes.length
    if (length > LIMIT) throw badUsage(`a secret has at most ${LIMIT} bytes`)
    parts.push(bytes)
  }
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}

async function ask(prompt: string, input: Input): Promise<string> {
  process.stderr.write(prompt)
  const silent = new Writable({ write: (_part, _encoding, done) => done() })
  const lines = createInterface({ input, output: silent, terminal: true })
  try {
    return await new Promise<string>((resolve) => {
      lines.once('line', resolve)
      lines.once('close', () => resolve(''))
    })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
