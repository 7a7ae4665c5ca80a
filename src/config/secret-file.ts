/**
 * The root secret that development generates for itself, kept in `<data dir>/secret` for its owner only.
 * Several processes may start at once on an empty directory: exactly one secret comes into being and all of them read it.
 * Production never comes here: there the secret is given (`load.ts`).
 */
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomToken } from '../secrets.ts'

/** The kept secret, made first if there is none. A directory made here gets mode 0700, the file 0600. Throws what the file system throws, and for a secret that is none. */
export function keepSecret(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'secret')
  return readSecret(path) ?? createSecret(path)
}

function readSecret(path: string): string | undefined {
  try {
    refusePlanted(path)
    const secret = readFileSync(path, 'utf8').trim()
    if (secret.length < 32) throw new Error(`${path} holds less than a secret`)
    return secret
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** A secret that another account of this machine put there is one it knows. */
function refusePlanted(path: string): void {
  const own = process.getuid?.() ?? 0
  const { uid } = statSync(path)
  if (own !== 0 && uid !== own && uid !== 0) throw new Error(`${path} belongs to somebody else`)
}

function createSecret(path: string): string {
  const draft = `${path}.${randomToken().slice(0, 12)}`
  writeFileSync(draft, `${randomToken()}\n`, { mode: 0o600, flag: 'wx' })
  try {
    // A hard link appears whole and never replaces: of racing processes one wins, and nobody reads half a secret.
    linkSync(draft, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return readSecret(path) ?? createSecret(path)
}
