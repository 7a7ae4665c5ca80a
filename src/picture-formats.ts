/**
 * The outer form of PNG and WebP files: chunk by chunk, to know that a file is one and nothing else, how large its image is, and to leave out
 * chunks that are not image (text, EXIF, XMP: they may hold where a photograph was taken). Pixels are never decoded.
 */
import { crc32 } from 'node:zlib'

interface Image {
  readonly type: 'image/png' | 'image/webp'
  readonly width: number
  readonly height: number
  readonly bytes: Buffer
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** Chunks that say how the image looks. Animations are left out too. */
const PNG_KEPT = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'sBIT', 'pHYs'])

/** The image of a whole PNG file; undefined for anything else, also for a file with something behind its end. */
export function readPng(bytes: Buffer): Image | undefined {
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) return undefined
  const kept: Buffer[] = [SIGNATURE]
  const names: string[] = []
  let at = 8
  while (at + 12 <= bytes.length && names.at(-1) !== 'IEND') {
    const end = at + 12 + bytes.readUInt32BE(at)
    const name = bytes.toString('latin1', at + 4, at + 8)
    if (end > bytes.length || crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) return undefined
    if (PNG_KEPT.has(name)) kept.push(bytes.subarray(at, end))
    names.push(name)
    at = end
  }
  const isWhole = names[0] === 'IHDR' && names.at(-1) === 'IEND' && names.includes('IDAT') && at === bytes.length
  if (!isWhole || bytes.readUInt32BE(8) !== 13) return undefined
  return {
    type: 'image/png',
    width: bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(20),
    bytes: Buffer.concat(kept),
  }
}

/** Chunks of a still image. */
const WEBP_KEPT = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ICCP'])
/** Flags of `VP8X` for what is left out: EXIF, XMP. */
const WEBP_OTHER_FLAGS = 0x08 | 0x04

/** The image of a whole, still WebP file; undefined for anything else. */
export function readWebp(bytes: Buffer): Image | undefined {
  if (bytes.length < 30 || bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WEBP') {
    return undefined
  }
  if (bytes.readUInt32LE(4) + 8 !== bytes.length) return undefined
  const chunks: { name: string; body: Buffer; whole: Buffer }[] = []
  let at = 12
  while (at + 8 <= bytes.length) {
    const length = bytes.readUInt32LE(at + 4)
    const end = at + 8 + length + (length % 2)
    if (end > bytes.length) return undefined
    const whole = Buffer.from(bytes.subarray(at, end))
    chunks.push({ name: whole.toString('latin1', 0, 4), body: whole.subarray(8, 8 + length), whole })
    at = end
  }
  if (at !== bytes.length) return undefined
  const kept = chunks.filter(({ name }) => WEBP_KEPT.has(name))
  const size = sizeOf(kept)
  for (const { name, body } of kept) if (name === 'VP8X') body[0] = (body[0] ?? 0) & ~WEBP_OTHER_FLAGS
  const body = Buffer.concat([Buffer.from('WEBP'), ...kept.map(({ whole }) => whole)])
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1')
  head.writeUInt32LE(body.length, 4)
  return size && { type: 'image/webp', ...size, bytes: Buffer.concat([head, body]) }
}

interface Size {
  readonly width: number
  readonly height: number
}

/** From the image chunk itself; a canvas of another size, as `VP8X` may claim, is a trap for decoders. */
function sizeOf(chunks: readonly { name: string; body: Buffer }[]): Size | undefined {
  const size = imageSize(chunks)
  const canvas = chunks.find(({ name }) => name === 'VP8X')?.body
  if (!size || !canvas) return size
  if (canvas.length < 10) return undefined
  const fits = canvas.readUIntLE(4, 3) + 1 === size.width && canvas.readUIntLE(7, 3) + 1 === size.height
  return fits ? size : undefined
}

function imageSize(chunks: readonly { name: string; body: Buffer }[]): Size | undefined {
  const image = chunks.find(({ name }) => name === 'VP8 ' || name === 'VP8L')
  if (!image || image.body.length < 10) return undefined
  const { name, body } = image
  if (name === 'VP8 ') {
    if (body.readUIntBE(3, 3) !== 0x9d012a) return undefined
    return { width: body.readUInt16LE(6) & 0x3fff, height: body.readUInt16LE(8) & 0x3fff }
  }
  if (body[0] !== 0x2f) return undefined
  const bits = body.readUInt32LE(1)
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
}
