/**
 * Interleaved rounds and what they say: medians, spread, ratios, as lines of a table. Rounds go A B C A B C, so that whatever else the
 * machine does falls on all alike.
 */
import type { Sample } from './load.ts'

export interface Contestant {
  readonly name: string
  readonly run: () => Promise<Sample>
}

export interface Figures {
  readonly name: string
  readonly samples: readonly Sample[]
}

/** One uncounted round to warm up, then `rounds` counted ones. */
export async function interleave(contestants: readonly Contestant[], rounds: number): Promise<Figures[]> {
  const figures = contestants.map(({ name }) => ({ name, samples: [] as Sample[] }))
  for (const { run } of contestants) await run()
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { run }] of contestants.entries()) figures[index]?.samples.push(await run())
  }
  return figures
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length >> 1
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return (low + high) / 2
}

/** Half the distance between the smallest and the largest, in percent of the median. */
export function spread(values: readonly number[]): number {
  return (50 * (Math.max(...values) - Math.min(...values))) / median(values)
}

export const throughputOf = ({ samples }: Figures): number[] => samples.map((sample) => sample.requestsPerSecond)
export const cpuOf = ({ samples }: Figures): number[] => samples.map((sample) => sample.cpuMicroseconds)

/** Ratio of two contestants, round by round, and its median: by throughput and by processor time per request. */
export function ratios(of: Figures, to: Figures): { throughput: number; cpu: number } {
  const pairs = of.samples.map((sample, round) => [sample, to.samples[round] ?? sample] as const)
  return {
    throughput: median(pairs.map(([ours, theirs]) => ours.requestsPerSecond / theirs.requestsPerSecond)),
    cpu: median(pairs.map(([ours, theirs]) => theirs.cpuMicroseconds / ours.cpuMicroseconds)),
  }
}

/** A heading and one line per contestant; ratios are to the first one. `aim` is what the others should reach. */
export function print(title: string, figures: readonly Figures[], aims: Readonly<Record<string, number>> = {}): void {
  const [first] = figures
  if (!first) return
  console.log(`\n${title}`)
  for (const one of figures) {
    const { throughput, cpu } = ratios(one, first)
    const aim = aims[one.name]
    const [rate, cost] = [throughputOf(one), cpuOf(one)]
    const latency = `p50 ${median(one.samples.map((sample) => sample.p50Ms)).toFixed(1)} ms, p99 ${median(one.samples.map((sample) => sample.p99Ms)).toFixed(1)} ms`
    console.log(
      `  ${one.name.padEnd(24)} ${median(rate).toFixed(0).padStart(6)}/s ±${spread(rate).toFixed(0)} %  ` +
        `${median(cost).toFixed(0).padStart(5)} µs CPU ±${spread(cost).toFixed(0)} %  ${latency}` +
        (one === first ? '' : `  ratio ${throughput.toFixed(2)} (by CPU ${cpu.toFixed(2)})`) +
        (aim === undefined ? '' : `, aim ${aim.toFixed(2)}`),
    )
  }
}
