/**
 * Free-form values that operators attach to accounts (`attributes`) and apps (`metadata`); custom claims are made of them.
 * This file decides what such a value may be: plain JSON, small, shallow, without names that mean something to JavaScript.
 */
import { AppError } from './errors.ts'

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | Attributes
/** A plain JSON object. */
export interface Attributes {
  readonly [name: string]: JsonValue
}

const LIMIT_BYTES = 8192
const LIMIT_DEPTH = 8
const DANGEROUS = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * The value as plain JSON, at most 8 kB and 8 levels deep. It shares nothing with what was given.
 * @throws invalid_request with `pointer` naming the field it was for.
 */
export function takeAttributes(value: unknown, pointer: string): Attributes {
  const refuse = (detail: string): never => {
    throw new AppError('invalid_request', detail, { details: { fields: [{ pointer, code: 'invalid', detail }] } })
  }
  if (!isPlainObject(value)) return refuse('Give a JSON object.')
  if (!isPlainJson(value, LIMIT_DEPTH)) return refuse('Give plain JSON, at most 8 levels deep, without reserved names.')
  const text = JSON.stringify(value)
  if (Buffer.byteLength(text) > LIMIT_BYTES) return refuse('Give at most 8 kB.')
  return JSON.parse(text) as Attributes
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function isPlainJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((item) => isPlainJson(item, depth - 1))
  if (!isPlainObject(value)) return false
  return Object.entries(value).every(([name, item]) => !DANGEROUS.has(name) && isPlainJson(item, depth - 1))
}
