/**
 * A picture that somebody gives us to show to others: PNG or WebP, told by its content and never decoded here. Text, places and whatever else cameras
 * and editors put beside the image is left out. Where it is kept and shown is said by those who take it.
 */
import { AppError } from './errors.ts'
import { readPng, readWebp } from './picture-formats.ts'

export interface Picture {
  readonly type: 'image/png' | 'image/webp'
  readonly bytes: Buffer
}

export const PICTURE_LIMIT_BYTES = 256 * 1024
const LARGEST_SIDE = 2048

/** The picture without what is not picture. @throws invalid_request for anything but a whole PNG or WebP, payload_too_large */
export function takePicture(bytes: Buffer): Picture {
  if (bytes.length > PICTURE_LIMIT_BYTES) {
    throw new AppError('payload_too_large', `A picture has at most ${PICTURE_LIMIT_BYTES / 1024} kB.`)
  }
  const found = readPng(bytes) ?? readWebp(bytes)
  if (!found) throw wrong('Give a PNG or WebP picture.')
  const { width, height } = found
  if (Math.min(width, height) < 1 || Math.max(width, height) > LARGEST_SIDE) {
    throw wrong(`A picture has at most ${LARGEST_SIDE} points on each side.`)
  }
  return { type: found.type, bytes: found.bytes }
}

function wrong(detail: string): AppError {
  return new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: '/picture', code: 'malformed', detail }] },
  })
}
