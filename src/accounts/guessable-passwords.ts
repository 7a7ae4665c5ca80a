/**
 * Which passwords anybody would guess: a list of the most common ones with what people do to them (zxcvbn), the account's own words, and a local
 * file of leaked ones where the operator has one (NIST SP 800-63B-4 §3.1.1.2). Nothing about composition: length is `password.ts`.
 * The only file that imports zxcvbn; the list is read at the first password somebody chooses, not at the start.
 */
import { setImmediate } from 'node:timers/promises'

/** 0: guessed at once … 4: out of reach. For the meter. */
export type Strength = 0 | 1 | 2 | 3 | 4

export interface GuessablePasswords {
  strength(password: string, words?: readonly string[]): Promise<Strength>
  /** `words`: the address and names of the account. */
  isGuessable(password: string, words?: readonly string[]): Promise<boolean>
}

/** Estimating is work that grows fast with the length, for characters that no longer matter (DO). */
const LONGEST_ESTIMATED = 32
const LEAST_STRENGTH = 2

interface Dependencies {
  /** Words of this server that are no secret: its name. */
  readonly words: readonly string[]
  readonly isLeaked?: ((password: string) => Promise<boolean>) | undefined
}

export function createGuessablePasswords({ words: own, isLeaked }: Dependencies): GuessablePasswords {
  let loaded: ReturnType<typeof load> | undefined
  const strength: GuessablePasswords['strength'] = async (password, words = []) => {
    if (isOfWords(password, [...own, ...words])) return 0
    loaded ??= load()
    const estimate = await loaded
    // Others get their turn first: an estimate takes some milliseconds of this thread.
    await setImmediate()
    return estimate(password.slice(0, LONGEST_ESTIMATED), partsOf([...own, ...words]))
  }
  return {
    strength,
    async isGuessable(password, words) {
      if ((await strength(password, words)) < LEAST_STRENGTH) return true
      return (await isLeaked?.(password)) ?? false
    },
  }
}

async function load(): Promise<(password: string, words: string[]) => Strength> {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { 'passwords-common': dictionary['passwords-common'] ?? [] },
    graphs: adjacencyGraphs,
    maxLength: LONGEST_ESTIMATED,
    l33tMaxSubstitutions: 10,
  })
  return (password, words) => zxcvbn.check(password, words).score
}

/** True when a password is made of the account's own words and little else: `ada.example-2024`. */
function isOfWords(password: string, words: readonly string[]): boolean {
  let rest = password.normalize('NFKC').toLowerCase()
  const before = rest.length
  for (const part of partsOf(words).sort((left, right) => right.length - left.length)) rest = rest.replaceAll(part, ' ')
  return rest.length < before && (rest.match(/\p{L}/gu) ?? []).length < 4
}

function partsOf(words: readonly string[]): string[] {
  const parts = words.flatMap((word) =>
    word
      .normalize('NFKC')
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u),
  )
  return [...new Set(parts.filter((part) => part.length >= 3))].slice(0, 20)
}
