/**
 * The log: JSON lines through pino (the only importer). Whatever is handed over, nothing usable is written: values are blanked by
 * the name of their key and by their own shape, long texts are cut, control characters taken out (TSLK3, TSLK5).
 * What happened to whom belongs to `audit.ts`; numbers to `metrics.ts`.
 */
import pino from 'pino'
import { scrub, scrubText } from './redaction.ts'

export type LogFields = Readonly<Record<string, unknown>>

/** Fields are snake_case; an `error` field takes an Error with its causes. A message is a fixed sentence, without values in it. */
export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A log that adds these fields to every line. */
  child(fields: LogFields): Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; each call is one line. */
  readonly write: (line: string) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** @returns the root log. Lines hold `level` (a word), `time` (ISO 8601), the fields and `msg`. */
export function createLog({ level, write, now }: LogOptions): Log {
  const root = pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
    },
    { write },
  )
  return wrap(root)
}

function wrap(logger: pino.Logger): Log {
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: LogFields, message: string): void => {
      if (logger.isLevelEnabled(level)) logger[level](scrub(fields), scrubText(message))
    }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => wrap(logger.child(scrub(fields) as Record<string, unknown>)),
  }
}
