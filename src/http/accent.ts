/**
 * The brand's accent colour as a stylesheet. An operator picks any colour; what people read stays readable:
 * each scheme gets a shade with at least 4.5:1 against its card, and the ink on it is whichever of black and white reads better.
 * The colour enters a stylesheet and is therefore parsed, never pasted.
 */
import { AppError } from '../errors.ts'

type Rgb = readonly [number, number, number]

const LIGHT_CARD: Rgb = [247, 247, 245]
const DARK_CARD: Rgb = [30, 31, 37]
const WHITE: Rgb = [255, 255, 255]
const BLACK: Rgb = [16, 16, 20]
/** WCAG 2.2 SC 1.4.3 asks for 4.5; a little more keeps tinted grounds readable. */
const READABLE = 5

/** The stylesheet that defines `--accent`, `--on-accent` and `--brand` for both schemes. Throws `invalid_configuration` for no colour. */
export function brandStylesheet(accent: string): string {
  const colour = parseColour(accent)
  const light = readableOn(LIGHT_CARD, colour, BLACK)
  const dark = readableOn(DARK_CARD, colour, WHITE)
  return `:root{--brand:${hex(colour)};--accent:light-dark(${hex(light)},${hex(dark)});--on-accent:light-dark(${hex(inkOn(light))},${hex(inkOn(dark))})}\n`
}

/** `#rgb` or `#rrggbb`; throws `invalid_configuration` for anything else. */
function parseColour(text: string): Rgb {
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text)?.[1]
  if (!digits) throw new AppError('invalid_configuration', 'brand.accent must be a colour such as #4f46e5')
  const full = digits.length === 3 ? [...digits].map((digit) => digit + digit).join('') : digits
  const value = Number.parseInt(full, 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

/** Mixes the colour with `towards` in steps of 4 % until it reads on `ground`. */
function readableOn(ground: Rgb, colour: Rgb, towards: Rgb): Rgb {
  for (let share = 0; share < 1; share += 0.04) {
    const mixed = mix(colour, towards, share)
    if (contrast(mixed, ground) >= READABLE) return mixed
  }
  return towards
}

function inkOn(ground: Rgb): Rgb {
  return contrast(WHITE, ground) >= contrast(BLACK, ground) ? WHITE : BLACK
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const channel = (index: 0 | 1 | 2): number => Math.round(from[index] + (to[index] - from[index]) * share)
  return [channel(0), channel(1), channel(2)]
}

/** The contrast ratio of WCAG 2.2, 1 to 21. */
function contrast(left: Rgb, right: Rgb): number {
  const [high, low] = [luminance(left), luminance(right)].sort((a, b) => b - a)
  return ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05)
}

function luminance(colour: Rgb): number {
  const [red = 0, green = 0, blue = 0] = colour.map((channel) => {
    const share = channel / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function hex(colour: Rgb): string {
  return `#${colour.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`
}
