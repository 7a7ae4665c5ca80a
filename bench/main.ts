/**
 * `npm run bench [-- --quick] [-- --only=<name>,…]`: how fast Licet is, against a bare oidc-provider on memory and against the limit. Every server
 * in its own process, the load from this one; rounds are interleaved and ratios printed. What the numbers mean stands in README.md.
 */
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { sections } from './sections.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, rounds: { type: 'string' } },
})
const wanted = values.only?.split(',')
const rounds = values.rounds === undefined ? (values.quick ? 1 : 5) : Number(values.rounds)
const size = { rounds, quick: values.quick }

const said = (load: readonly number[]) => load.map((one) => one.toFixed(2)).join(' ')
console.log(`Node ${process.versions.node}, ${availableParallelism()} cores, load ${said(loadavg())}, ${rounds} rounds`)
const unknown = wanted?.filter((name) => !Object.hasOwn(sections, name)) ?? []
if (unknown.length > 0) {
  console.error(`There is no measurement ${unknown.join(', ')}: ${Object.keys(sections).join(', ')}`)
  process.exit(1)
}
for (const [name, section] of Object.entries(sections)) {
  if (wanted === undefined || wanted.includes(name)) await section(size)
}
console.log(`\nload at the end ${said(loadavg())}`)
process.exit(0)
