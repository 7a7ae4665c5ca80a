/**
 * The frame every command stands in: how it is found, how its words are read, how it ends. Commands add themselves
 * (`addConfigCommands(program, …)`), print with `say` and throw when they refuse.
 * Exit codes: 0 done, 1 refused or failed, 2 bad usage. Errors are one sentence on stderr (one JSON object with `--json`), never a stack.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { AppError } from '../errors.ts'

/** Where a command's words go; tests pass their own. */
export interface Output {
  out(text: string): void
  err(text: string): void
}

export const terminal: Output = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}

/** An empty program; `runProgram` completes it with `--json` on every command. */
export function createProgram({ version, output = terminal }: { version: string; output?: Output }): Command {
  return new Command('licet')
    .description('The authorization server of AI platforms')
    .version(version)
    .showSuggestionAfterError()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
}

/** The error for words that make no sense: exit code 2. */
export function badUsage(message: string): Error {
  return new InvalidArgumentError(message)
}

/** Prints a result: one JSON document with `--json`, else the lines a person reads. */
export function say(command: Command, result: unknown, lines: readonly string[], output: Output = terminal): void {
  const wanted = command.optsWithGlobals<{ json?: boolean }>().json === true
  output.out(wanted ? `${JSON.stringify(result, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''))
}

/** Runs the command these words name, to its end; resolves to the exit code and never rejects. */
export async function runProgram(
  program: Command,
  words: readonly string[],
  output: Output = terminal,
): Promise<number> {
  completeCommands(program)
  const json = words.includes('--json')
  try {
    if (words.length === 0) program.help({ error: true })
    await program.parseAsync([...words], { from: 'user' })
    // A command whose processes have already said what was wrong only leaves their code.
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return explain(error, { json, output })
  }
}

/** Every command answers usage errors by throwing, and every one that does something takes `--json`. */
function completeCommands(command: Command): void {
  command.exitOverride().helpCommand(false)
  for (const inner of command.commands) completeCommands(inner)
  const taken = command.options.some((option) => option.long === '--json')
  if (command.commands.length === 0 && !taken) command.option('--json', 'answer in JSON')
}

function explain(error: unknown, { json, output }: { json: boolean; output: Output }): number {
  if (error instanceof CommanderError) {
    // Commander has already printed help, version or the usage error; an argument refused by a command it has not.
    if (error.exitCode === 0) return 0
    if (error instanceof InvalidArgumentError) output.err(sentence({ code: 'usage', message: error.message, json }))
    return 2
  }
  const known = error instanceof AppError
  const message = known
    ? error.message
    : `Something went wrong: ${error instanceof Error ? error.message : String(error)}`
  output.err(sentence({ code: known ? error.code : 'internal', message, json }))
  return 1
}

function sentence({ code, message, json }: { code: string; message: string; json: boolean }): string {
  return json ? `${JSON.stringify({ error: code, message })}\n` : `licet: ${message}\n`
}
