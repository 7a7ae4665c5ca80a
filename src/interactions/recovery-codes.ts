/**
 * Recovery codes as a text file, for people without JavaScript too. The codes are shown once and kept nowhere, so the page sends back what it
 * shows and gets it as a download; only what has the form of a code is ever echoed.
 *
 *   POST /recovery-codes.txt
 */
import { z } from 'zod'
import { type AccessRule, post, type Route } from '../http/route.ts'

const CODES = /^[A-Z2-7]{5}-[A-Z2-7]{5}( [A-Z2-7]{5}-[A-Z2-7]{5}){0,19}$/
const CodesForm = z.object({
  codes: z.string().max(400).regex(CODES, { error: 'recovery codes, separated by spaces' }),
})

export function createRecoveryCodesFile(form: AccessRule<unknown>): readonly Route[] {
  return [
    post('/recovery-codes.txt')
      .needs(form)
      .takes(CodesForm)
      .does(({ input }) => ({
        kind: 'text',
        type: 'text/plain; charset=utf-8',
        body: `${input.codes.replaceAll(' ', '\r\n')}\r\n`,
        headers: { 'Content-Disposition': 'attachment; filename="recovery-codes.txt"' },
      })),
  ]
}
