/**
 * The options of issuers outside whose assertions are believed: programs that run there without a stored secret, and an enterprise's own identity
 * provider that says what an app may do for its people. What an assertion must be stands in `federation/`.
 */
import { z } from 'zod'
import { isSegmentPattern } from '../segments.ts'
import { scopeName } from './tokens.ts'
import { option, webUrl } from './values.ts'

const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

const pattern = z
  .string()
  .refine(isSegmentPattern, { error: 'a text in which * stands for one whole segment between : and /' })

const clientId = z.string().min(1).max(2048)

const workload = z
  .strictObject({
    app: option(clientId, 'The service app that it is here (auth: workload_identity).', { takes: 'client id' }),
    subject: option(
      pattern.optional(),
      'What `sub` must be. `*` is one whole segment between : and /, such as repo:acme/app:ref:refs/heads/*.',
      { takes: 'pattern' },
    ),
    claims: option(z.record(z.string().min(1).max(100), pattern).default({}), 'What further claims must be.', {
      takes: 'map of claim name to pattern',
    }),
    scopes: option(
      z.array(scopeName).min(1, { error: 'at least one scope' }).optional(),
      'What it may have of the scopes of the app.',
      { takes: 'list of scopes', unset: 'all of them' },
    ),
  })
  .refine(({ subject, claims }) => subject !== undefined || Object.keys(claims).length > 0, {
    error: 'subject or claims: something that says who it is',
    path: ['subject'],
  })

const idJag = z.strictObject({
  apps: option(
    z.array(clientId).min(1, { error: 'at least one app' }),
    'Apps that may present identity assertions; "*" for every app that can prove itself.',
    { takes: 'list of client ids' },
  ),
  link_by_email: option(
    z.boolean().default(false),
    'Finds an account by its address when nothing links it yet; both sides must have verified it.',
  ),
})

const issuer = z
  .strictObject({
    issuer: option(webUrl(), 'What `iss` of its assertions says, byte for byte.', { takes: 'https URL' }),
    jwks_uri: option(webUrl().optional(), 'Where its public keys are.', {
      takes: 'https URL',
      unset: 'what its discovery document says',
    }),
    jwks_file: option(z.string().optional(), 'A file with its public keys, in place of an address.'),
    algorithms: option(
      z.array(z.enum(algorithms)).min(1).default(['RS256', 'ES256']),
      'Signatures that are accepted of it.',
      { takes: 'list of algorithms' },
    ),
    audience: option(z.string().min(1).max(512).optional(), 'What `aud` must be, as one text.', {
      unset: 'the issuer of this server',
    }),
    workloads: option(z.array(workload).default([]), 'Programs that run there, and which service app each is here.'),
    id_jag: option(
      idJag.optional(),
      'Identity assertions (ID-JAG): its people are served without a consent page, as it decides.',
    ),
  })
  .superRefine((file, ctx) => {
    if (file.jwks_uri !== undefined && file.jwks_file !== undefined)
      ctx.addIssue({ code: 'custom', path: ['jwks_file'], message: 'either jwks_uri or jwks_file', input: file })
    if (file.workloads.length === 0 && !file.id_jag)
      ctx.addIssue({ code: 'custom', path: ['workloads'], message: 'workloads or id_jag', input: file.workloads })
  })
  .transform((file) => ({
    issuer: file.issuer,
    jwksUri: file.jwks_uri,
    jwksFile: file.jwks_file,
    algorithms: file.algorithms,
    audience: file.audience,
    workloads: file.workloads,
    idJag: file.id_jag && { apps: file.id_jag.apps, linkByEmail: file.id_jag.link_by_email },
  }))

export type IssuerOptions = z.output<typeof issuer>

/** Every option of this topic, as the file names them. */
export const issuerOptions = {
  trusted_issuers: option(z.array(issuer).prefault([]), 'Issuers outside whose assertions are believed (RFC 7523).'),
}
