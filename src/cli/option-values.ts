/**
 * How the values of options are read that several commands have: lists, words and durations. What a value means is left to the command.
 * A value that makes no sense ends the program with exit code 2.
 */
import { parseDuration } from '../config/values.ts'
import { badUsage } from './program.ts'

/** An option that may be given several times. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value]

/** Words separated by spaces; the option may be given several times. */
export const words = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  ...value.split(/\s+/).filter(Boolean),
]

/** Seconds, from `30d`, `15m` or a number of seconds. @throws InvalidArgumentError */
export function duration(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds === undefined || milliseconds % 1000 !== 0)
    throw badUsage('It is not a duration such as 30d or 3600.')
  return milliseconds / 1000
}
