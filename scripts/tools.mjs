/**
 * The programs some suites need: where they are looked for, and how they are installed where that is allowed (root on Debian or
 * Ubuntu). What happens without them is decided by the suites: they skip loudly, or fail with CI=true.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const packages = [
  { package: 'redis-server', program: 'redis-server', fast: true },
  { package: 'chromium', program: 'chromium', fast: false },
  { package: 'nginx-light', program: 'nginx', fast: false },
  { package: 'python3-pip', program: 'pip3', fast: false },
  { package: 'curl', program: 'curl', fast: true },
  { package: 'golang-go', program: 'go', fast: false },
  { package: 'fonts-dejavu-core', file: '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf', fast: false },
  {
    package: 'fonts-liberation',
    file: '/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf',
    fast: false,
  },
  { package: 'fonts-noto-cjk', file: '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc', fast: false },
]

function isThere(tool) {
  if (tool.file) return existsSync(tool.file)
  const places = (process.env.PATH || '').split(delimiter).concat('/usr/sbin', '/usr/bin', '/usr/local/bin')
  return places.some((place) => existsSync(join(place, tool.program)))
}

function mayInstall() {
  if (process.platform !== 'linux' || process.getuid() !== 0 || !existsSync('/etc/os-release')) return false
  return (
    /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8')) && existsSync('/usr/bin/apt-get')
  )
}

/** Installs what is missing where that is allowed; returns the packages that are missing afterwards. */
export function installTools(fast) {
  const wanted = packages.filter((tool) => tool.fast || !fast)
  const missing = wanted.filter((tool) => !isThere(tool)).map((tool) => tool.package)
  if (missing.length === 0 || !mayInstall()) return missing
  console.log(`installing ${missing.join(', ')}`)
  // RUNLEVEL=1 keeps a package from starting its service; the suites start their own servers on free loopback ports.
  const env = Object.assign({}, process.env, { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' })
  const apt = (args) => spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  apt(['update', '-qq'])
  apt(['install', '-y', '-qq', '--no-install-recommends'].concat(missing))
  return wanted.filter((tool) => !isThere(tool)).map((tool) => tool.package)
}
