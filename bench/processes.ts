/**
 * Measured processes: started from a script, asked for their use of the processor over IPC, ended by their own handle. They end by
 * themselves when this process does.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const probe = fileURLToPath(new URL('./probe.mjs', import.meta.url))

/** What a process, or its workers together, have used since they started. */
export interface Usage {
  /** User and system together. */
  readonly cpuMicroseconds: number
  /** Of the largest process. */
  readonly residentBytes: number
  readonly processes: number
}

export interface Measured {
  readonly pid: number
  readonly child: ChildProcess
  usage(): Promise<Usage>
  /** Everything the process has printed: shown when something fails. */
  output(): string
  stop(): Promise<void>
}

export interface Program {
  readonly script: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly nodeArgs?: readonly string[]
}

/** Starts a program with the probe in it. It gets no environment but `PATH` and what is given. */
export function start({ script, args = [], env = {}, nodeArgs = [] }: Program): Measured {
  const child = fork(script, [...args], {
    execArgv: ['--disable-warning=ExperimentalWarning', '--import', probe, ...nodeArgs],
    env: { PATH: process.env['PATH'] ?? '', UV_THREADPOOL_SIZE: '8', NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  const ended = once(child, 'exit')
  return {
    pid: child.pid ?? 0,
    child,
    output: () => output,
    usage: () => ask(child),
    async stop() {
      child.kill('SIGTERM')
      const impatient = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(impatient)
    },
  }
}

/** The first message of the program that has this shape. */
export function message<T extends object>(
  { child, output }: Measured,
  has: keyof T & string,
  withinMs = 20_000,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no word from the program: ${output()}`)), withinMs)
    const refuse = () => reject(new Error(`the program ended: ${output()}`))
    const listen = (said: unknown) => {
      if (typeof said !== 'object' || said === null || !(has in said)) return
      clearTimeout(late)
      child.off('message', listen)
      child.off('exit', refuse)
      resolve(said as T)
    }
    child.on('message', listen)
    child.once('exit', refuse)
  })
}

function ask(child: ChildProcess): Promise<Usage> {
  const answer = new Promise<Usage>((resolve) => {
    const listen = (said: unknown) => {
      if (typeof said !== 'object' || said === null || !('cpuMicroseconds' in said)) return
      child.off('message', listen)
      resolve(said as Usage)
    }
    child.on('message', listen)
  })
  child.send('usage')
  return answer
}
