/**
 * Where `licet login` keeps what it got: one file in the person's own configuration directory that nobody else may read. It holds a refresh token, so
 * it is written with the rights of a private key and refused when others could have read it.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError } from '../errors.ts'

const SignInShape = z.object({
  client_id: z.string(),
  access_token: z.string(),
  /** Milliseconds since 1970. */
  expires_at: z.number(),
  refresh_token: z.string().optional(),
  scope: z.string(),
})
const FileShape = z.object({ current: z.string().optional(), servers: z.record(z.string(), SignInShape) })

export type SignIn = z.infer<typeof SignInShape>
type Kept = z.infer<typeof FileShape>

export interface SignIns {
  /** The server that was signed in to last. */
  current(): Promise<string | undefined>
  find(server: string): Promise<SignIn | undefined>
  keep(server: string, signIn: SignIn): Promise<void>
  forget(server: string): Promise<void>
}

/** Sign-ins kept below that directory. @throws conflict for a file that others may read, or that is no file of ours */
export function createSignIns(directory: string, newName: () => string): SignIns {
  const place = join(directory, 'licet')
  const file = join(place, 'sign-ins.json')

  const read = async (): Promise<Kept> => {
    const found = await stat(file).catch(() => undefined)
    if (!found) return { servers: {} }
    if (process.platform !== 'win32' && (found.mode & 0o077) !== 0)
      throw new AppError('conflict', `${file} can be read by others. Run: chmod 600 ${file}, and sign in again.`)
    const parsed = FileShape.safeParse(jsonOf(await readFile(file, 'utf8')))
    if (!parsed.success) throw new AppError('conflict', `${file} is not understood. Remove it and sign in again.`)
    return parsed.data
  }

  /** Complete or not at all: a command that is stopped leaves the old file. */
  const write = async (kept: Kept): Promise<void> => {
    await mkdir(place, { recursive: true, mode: 0o700 })
    const draft = `${file}.${newName()}`
    try {
      await writeFile(draft, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
      await rename(draft, file)
    } finally {
      await rm(draft, { force: true })
    }
  }

  return {
    current: async () => (await read()).current,
    async find(server) {
      const { servers } = await read()
      return Object.hasOwn(servers, server) ? servers[server] : undefined
    },
    async keep(server, signIn) {
      const { servers } = await read()
      await write({ current: server, servers: { ...servers, [server]: signIn } })
    },
    async forget(server) {
      const { current, servers } = await read()
      const { [server]: _gone, ...rest } = servers
      const left = current === server ? Object.keys(rest).at(-1) : current
      await write({ ...(left === undefined ? {} : { current: left }), servers: rest })
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
