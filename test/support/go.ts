/**
 * A Go that can build the example. From 1.21 on Go fetches the version that go.mod asks for by itself; an older one, as Debian 12 ships it, is used to
 * fetch that toolchain as the module it is, and the fetched one runs.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './licet.ts'

const FETCHES_BY_ITSELF = 21

/** The command to run, for the go.mod in that directory. @throws when an older Go cannot fetch a newer one. */
export function goFor(directory: string, go = 'go'): string {
  const [, minor = '0'] = /go1\.(\d+)/.exec(execFileSync(go, ['version'], { encoding: 'utf8' })) ?? []
  if (Number(minor) >= FETCHES_BY_ITSELF) return go
  const wanted = /^go (\S+)$/m.exec(readFileSync(join(root, directory, 'go.mod'), 'utf8'))?.[1] ?? ''
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`
  const toolchain = `golang.org/toolchain@v0.0.1-go${wanted}.${platform}`
  const options = { cwd: '/', encoding: 'utf8', env: { ...process.env, GOFLAGS: '-mod=mod' } } as const
  const { Dir: home } = JSON.parse(execFileSync(go, ['mod', 'download', '-json', toolchain], options)) as {
    Dir: string
  }
  // A module's files are not executable.
  for (const place of ['bin', join('pkg', 'tool', platform.replace('-', '_'))].map((part) => join(home, part)))
    if (existsSync(place)) for (const file of readdirSync(place)) chmodSync(join(place, file), 0o755)
  return join(home, 'bin', 'go')
}
