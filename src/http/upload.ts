/**
 * A form with one file (`multipart/form-data`, RFC 7578), read whole within limits and parsed by the platform (`Response.formData`). Which route
 * takes a file, in which field and how large, stands in its route; what the file is, is told by its content and never by what its sender calls it,
 * so name and media type are dropped here.
 */
import type { IncomingMessage } from 'node:http'
import { AppError } from '../errors.ts'
import { readBytes } from './bytes.ts'

/** The file a route takes. */
export interface FileField {
  readonly field: string
  readonly maxBytes: number
  /** Media types it may have, for the API reference and for bodies that are nothing but the file. */
  readonly types: readonly string[]
}

/** The form's text fields in the order they came, and the file; undefined when none was chosen. */
export interface Upload {
  readonly pairs: readonly (readonly [string, string])[]
  readonly file: Uint8Array | undefined
}

/** What may come besides the file. */
const ROOM_FOR_FIELDS = 16_384
const MAX_PARTS = 50

/**
 * @throws payload_too_large, unsupported_media_type, invalid_request for a form that is malformed, has more than one file, one in another field, or
 * too many parts
 */
export async function readUpload(request: IncomingMessage, { field, maxBytes }: FileField): Promise<Upload> {
  const bytes = await readBytes(request, maxBytes + ROOM_FOR_FIELDS)
  const type = request.headers['content-type'] ?? ''
  const parts = [...(await parsed(bytes, type))]
  const files = parts.filter((part): part is [string, File] => typeof part[1] !== 'string')
  if (files.length > 1 || files.some(([name]) => name !== field))
    throw new AppError('invalid_request', 'The form has a file that is not asked for.')
  const pairs = parts.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : []))
  const file = new Uint8Array((await files[0]?.[1].arrayBuffer()) ?? [])
  if (file.length > maxBytes) throw new AppError('payload_too_large', `The file is larger than ${maxBytes} bytes.`)
  // A browser sends an empty file when none was chosen.
  return { pairs, file: file.length === 0 ? undefined : file }
}

async function parsed(bytes: Buffer, type: string): Promise<FormData> {
  // Counted before anything is taken apart: thousands of empty parts cost more than one file.
  if (countOf(bytes, 'content-disposition') > MAX_PARTS)
    throw new AppError('invalid_request', `The form has more than ${MAX_PARTS} parts.`)
  try {
    return await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData()
  } catch (cause) {
    throw new AppError('invalid_request', 'The form is malformed.', { cause })
  }
}

/** How often a name stands in the bytes, in any case. */
function countOf(bytes: Buffer, name: string): number {
  return bytes.toString('latin1').toLowerCase().split(name).length - 1
}
