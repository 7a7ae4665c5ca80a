/**
 * The bare hash function: a process that does nothing but check passwords with argon2 at the default cost, two at a time, as the server does. What
 * it reaches on these cores is the limit of sign-ins.
 */
import { hash, verify } from 'argon2'

const AT_ONCE = 2
const digest = await hash('correct horse battery staple', { memoryCost: 19_456, timeCost: 2, parallelism: 1 })

process.on('message', (asked) => {
  const { checks } = (typeof asked === 'object' && asked !== null ? asked : {}) as { checks?: number }
  if (checks !== undefined) void run(checks).then((seconds) => process.send?.({ checked: checks, seconds }))
})
// Nothing else keeps the process alive between two runs.
setInterval(() => {}, 60_000)
process.send?.({ isReady: true })

async function run(checks: number): Promise<number> {
  const began = performance.now()
  let left = checks
  const line = async () => {
    while (left-- > 0) await verify(digest, 'correct horse battery staple')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, line))
  return (performance.now() - began) / 1000
}
