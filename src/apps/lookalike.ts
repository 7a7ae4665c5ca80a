/**
 * Names that read like another: a name as the eye takes it, after the skeleton of Unicode UTS #39 §4. Fonts, accents, scripts and digits that stand in
 * for letters fall together. The table holds the letters of other scripts that look like a Latin one in running text, not the whole of the standard's.
 * Names of the operator and of verified apps are kept from everybody else's apps.
 */
import { AppError } from '../errors.ts'
import type { Store } from '../storage/store.ts'
import type { AppRecord } from './app.ts'

/** Capitals whose small letter looks like another one. */
const CAPITALS: Readonly<Record<string, string>> = spread('ΗН h ΜМ m ΝꞐ n ΥҮ y ΒВ b ΡР p')

/** Small letters, and what has no case. */
const SMALL: Readonly<Record<string, string>> = spread(
  `аɑαᴀꭺ@4 a вьʙᏼ b сϲᴄꮯ c ԁđðᴅ d еёεєɛᴇꭼ3 e ɡցԍɢꮐ g һհħʜꮋ h іїιıɪꭵ i јϳյᴊꭻ j кκᴋꮶ k ӏłʟꮮ1|! l мᴍꮇ m пոηɴ n оοօøσᴏ0 o рρþᴘꮲ p
   ԛզ q гʀꭱ r ѕʂſꮪ5$ s тτŧᴛꭲ7 t սυʋᴜ u νѵᴠꮩ v ԝωѡᴡꮃ w хχ x уγʏ y ᴢꮓ z`,
)

/** Pairs that run together. */
const PAIRS: readonly (readonly [RegExp, string])[] = [
  [/rn/g, 'm'],
  [/vv/g, 'w'],
  [/æ/g, 'ae'],
  [/ß/g, 'ss'],
]

/** `abc x de y`: each of a, b, c becomes x. */
function spread(table: string): Record<string, string> {
  const words = table.split(/\s+/)
  return Object.fromEntries(
    words.flatMap((letters, at) => (at % 2 === 0 ? [...letters].map((letter) => [letter, words[at + 1] ?? '']) : [])),
  )
}

/** Equal for names that look alike; what separates words does not count. Empty for a name without a letter or digit. */
export function skeletonOf(name: string): string {
  const bare = name.normalize('NFKD').replace(/\p{M}/gu, '')
  const small = [...bare].map((letter) => CAPITALS[letter] ?? letter).join('')
  const plain = [...small.toLowerCase()].map((letter) => SMALL[letter] ?? letter).join('')
  const joined = PAIRS.reduce((text, [pair, one]) => text.replace(pair, one), plain)
  // An upper-case i is a lower-case l to the eye.
  return joined.replace(/[^\p{L}\p{N}]/gu, '').replace(/i/g, 'l')
}

/** Skeletons of a name: a mark may stand for a letter (`L!cet`) or be a mark (`Licet!`), at each place. */
function readingsOf(name: string): string[] {
  const edge = /^[@!|$\s]+|[@!|$\s]+$/g
  const readings = [name, name.replace(edge, ''), name.replace(/[@!|$]/g, '')]
  return [...new Set(readings.map(skeletonOf))].filter((skeleton) => skeleton !== '')
}

const VERIFIED = { group: 'verifiedName', limit: 20 }

export interface NameGuard {
  /**
   * Nothing for a name that stays, and for apps of the operator.
   * @throws invalid_request `/name`: `confusable` for a name of the operator's, or of a verified app of another owner
   */
  refuseLookalike(
    name: unknown,
    of: { readonly name?: string; readonly ownerId?: string | undefined } | undefined,
  ): Promise<void>
}

/** @param ours names of the operator's: the server, its own apps. */
export function createNameGuard({ store, ours }: { store: Store; ours: readonly string[] }): NameGuard {
  const reserved = new Set(ours.map(skeletonOf))
  return {
    async refuseLookalike(name, { name: before, ownerId } = {}) {
      if (typeof name !== 'string' || ownerId === undefined || name === before) return
      const skeletons = readingsOf(name)
      const others = await Promise.all(
        skeletons.map(async (value) => (await store.list<AppRecord>('app', { ...VERIFIED, value })).items),
      )
      const isFree = others.flat().every(({ value }) => value.ownerId === ownerId)
      if (isFree && !skeletons.some((skeleton) => reserved.has(skeleton))) return
      const detail = 'This name reads like one of the operator, or of a verified app. Choose another.'
      throw new AppError('invalid_request', detail, {
        details: { fields: [{ pointer: '/name', code: 'confusable', detail }] },
      })
    },
  }
}
