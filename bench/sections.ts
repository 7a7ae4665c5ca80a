/**
 * What is measured, by name; `--only` picks from this table. Each section starts what it needs and ends it.
 */
import { startUp } from './begin.ts'
import { consent } from './consent.ts'
import { exchange } from './exchange.ts'
import { firstSignIn } from './flow.ts'
import { growth } from './growth.ts'
import { keyGrowth, keys } from './keys.ts'
import { kit } from './kit.ts'
import { pages, sessionLists } from './pages.ts'
import { registration } from './registration.ts'
import { signIns } from './sign-ins.ts'
import { clientCredentials, documents, limits, refresh } from './tokens.ts'
import { workers } from './workers.ts'

export interface Size {
  readonly rounds: number
  readonly quick: boolean
}

export type Section = (size: Size) => Promise<void>

export const sections: Readonly<Record<string, Section>> = {
  start: startUp,
  'client-credentials': clientCredentials,
  refresh,
  exchange,
  documents,
  limits,
  workers,
  flow: firstSignIn,
  'sign-ins': signIns,
  pages,
  sessions: sessionLists,
  growth,
  keys,
  'key-growth': keyGrowth,
  consent,
  kit,
  registration,
}
