/**
 * Names that people and apps give themselves and that others will read on a consent page, in a mail or in a log.
 * What could deceive is taken out here, once: controls, direction marks, invisible characters.
 * Escaping for HTML is left to the views, names that read like another to `apps/lookalike.ts`.
 */

/** The longest name in characters (code points). */
export const NAME_LIMIT = 64

/** Controls, surrogates, unassigned and private use, line separators, and everything that is drawn as nothing. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** A line of text as it is kept: NFC, without what is not seen, single spaces, trimmed. */
export function cleanText(text: string): string {
  const seen = text
    .slice(0, 4096)
    .normalize('NFC')
    .replace(/[\t-\r\p{Z}]+/gu, ' ')
    .replace(UNSEEN, '')
  return seen.replace(/ +/g, ' ').trim()
}

/**
 * The name as it is kept: NFC, without control, bidi and zero-width characters, single spaces, trimmed.
 * Undefined when nothing is left or more than 64 characters are. Joiners inside emoji are lost; the parts stay readable.
 */
export function cleanName(name: string): string | undefined {
  if (name.length > 1024) return undefined
  const clean = cleanText(name)
  return clean !== '' && [...clean].length <= NAME_LIMIT ? clean : undefined
}
