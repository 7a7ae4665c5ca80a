/**
 * The bytes of a body, up to a limit and no further. What they mean is left to those who asked for them: `body.ts`, `upload.ts`.
 */
import type { IncomingMessage } from 'node:http'
import { AppError } from '../errors.ts'

/**
 * The whole body, of at most `limit` bytes. Nothing is unpacked: a small body that unfolds into a large one never exists here.
 * @throws unsupported_media_type for a packed body, payload_too_large, invalid_request for one that ends early
 */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding']
  if (encoding && encoding.toLowerCase() !== 'identity')
    throw new AppError('unsupported_media_type', 'Send the body without Content-Encoding.')
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit)
  return collect(request, limit)
}

/** The media type of the body, in lower case and without its parameters; empty when none is given. */
export function mediaTypeOf(request: IncomingMessage): string {
  const given = request.headers['content-type'] ?? ''
  const end = given.indexOf(';')
  return (end < 0 ? given : given.slice(0, end)).trim().toLowerCase()
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const broken = () => reject(new AppError('invalid_request', 'The body ended early.'))
    if (request.destroyed && !request.complete) broken()
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) chunks.push(chunk)
      else {
        request.pause()
        reject(tooLarge(limit))
      }
    })
    request.on('end', () => resolve(Buffer.concat(chunks, size)))
    request.on('error', broken)
    request.on('close', () => {
      if (!request.complete) broken()
    })
  })
}

function tooLarge(limit: number): AppError {
  // The rest of the body is not waited for: the connection ends with the answer.
  return new AppError('payload_too_large', `The body is larger than ${limit} bytes.`, {
    details: { headers: { Connection: 'close' } },
  })
}
