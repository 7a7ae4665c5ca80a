/**
 * A place for a store whose disk can be filled and emptied: a small file system of its own where root may mount one, else a limit on how far the
 * server may let its files grow.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Disk {
  /** How it is done, for the record. */
  readonly kind: string
  readonly directory: string
  /** From now on nothing more fits. */
  fill(pid: number): void
  empty(pid: number): void
  remove(): void
}

/** Room for two write-ahead logs of 8 MB and what they hold; small enough to fill at once. */
const SIZE_MB = 64

export function createDisk(): Disk {
  const directory = mkdtempSync(join(tmpdir(), 'licet-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m,mode=700`, 'tmpfs', directory], { stdio: 'ignore' })
    return mounted(directory)
  } catch {
    return limited(directory)
  }
}

function mounted(directory: string): Disk {
  const ballast = join(directory, 'ballast')
  return {
    kind: `a tmpfs of ${SIZE_MB} MB`,
    directory,
    fill() {
      const file = openSync(ballast, 'w')
      try {
        for (const size of [65_536, 4096, 1]) fillWith(file, Buffer.alloc(size))
      } finally {
        closeSync(file)
      }
    },
    empty: () => rmSync(ballast, { force: true }),
    remove() {
      execFileSync('umount', ['-l', directory], { stdio: 'ignore' })
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function fillWith(file: number, piece: Buffer): void {
  try {
    for (;;) writeSync(file, piece)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error
  }
}

/** RLIMIT_FSIZE: no file grows beyond the largest one there is. */
function limited(directory: string): Disk {
  const prlimit = (pid: number, limit: string) => execFileSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:`])
  return {
    kind: 'a limit on the size of files (RLIMIT_FSIZE)',
    directory,
    fill(pid) {
      const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size)
      prlimit(pid, String(Math.min(...sizes.filter((size) => size > 32_768))))
    },
    empty: (pid) => void prlimit(pid, 'unlimited'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
