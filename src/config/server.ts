/**
 * The options of one server process: where it listens, what it is called outside, where it stores and mails, how much it says.
 * These can also be set by environment variables. What the server permits stands in `tokens.ts`, `apps.ts` and `policies.ts`.
 */
import { z } from 'zod'
import { listOf, network, onOff, option, wholeNumber } from './values.ts'

const issuer = z.string().superRefine((text, ctx) => {
  const expected = issuerForm(text)
  if (expected !== text)
    ctx.addIssue({
      code: 'custom',
      message: expected ? `${expected} (exactly so)` : 'an http or https URL without query',
    })
})

/** How an issuer is written: scheme and host in lower case, no default port, no trailing slash; undefined when it cannot be one. */
function issuerForm(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') return undefined
  return url.origin + url.pathname.replace(/\/+$/, '')
}

const storeUrl = z.string().regex(/^(sqlite:.+|rediss?(\+(sentinel|cluster))?:\/\/.+)$/, {
  error: 'sqlite:<file>, redis://…, rediss://…, redis+sentinel://h1:p,h2:p/name or redis+cluster://h1:p,h2:p',
})

const smtpUrl = z.string().refine((text) => URL.canParse(text) && /^smtps?:\/\/./.test(text), {
  error: 'smtp://user:password@host:587 or smtps://…',
})

const rootSecrets = z
  .union([z.string(), z.array(z.string())], {
    error: 'text of at least 32 characters; several with commas between, the current one first',
  })
  .transform((value) => (Array.isArray(value) ? value : value.split(',')).map((part) => part.trim()))
  .pipe(z.array(z.string().min(32, { error: 'at least 32 characters' })).min(1, { error: 'at least one secret' }))

const debug = z
  .union([z.boolean(), z.string()], { error: 'on, off or unsafe' })
  .transform(
    (value) =>
      ({ true: 'on', on: 'on', '1': 'on', false: 'off', off: 'off', '0': 'off' })[String(value)] ?? String(value),
  )
  .pipe(z.enum(['on', 'off', 'unsafe'], { error: 'on, off or unsafe' }))

const address = z.string().regex(/^[^\s<>"]+@[^\s<>"@]+$/, { error: 'an e-mail address' })

/** Every option of this topic, as the file names them. */
export const serverOptions = {
  mode: option(
    z.enum(['development', 'production']).default('development'),
    'Production refuses every setting that is only safe on a desk.',
    {
      env: 'LICET_MODE',
    },
  ),
  issuer: option(
    issuer.optional(),
    'The public URL of this server, without trailing slash; every URL handed out is built from it.',
    {
      env: 'LICET_ISSUER',
      takes: 'URL',
      unset: 'http://localhost:<port>',
    },
  ),
  host: option(z.string().min(1).default('127.0.0.1'), 'The address to listen on.', { env: 'LICET_HOST' }),
  port: option(wholeNumber(0, 65_535).prefault(4000), 'The port to listen on; 0 takes a free one.', {
    env: 'LICET_PORT',
    takes: 'number',
  }),
  store_url: option(
    storeUrl.optional(),
    'Where everything is stored: SQLite (`sqlite::memory:` keeps nothing), Redis, Redis Sentinel or Redis Cluster; `?replicas=N` declares replicas to wait for.',
    {
      env: 'LICET_STORE_URL',
      secret: true,
      takes: 'store URL',
      unset: 'sqlite:<data_dir>/licet.db',
    },
  ),
  store_assume_durable: option(
    onOff().prefault(false),
    'Start with a warning on a managed Redis that does not let its durability be read.',
    {
      env: 'LICET_STORE_ASSUME_DURABLE',
      takes: 'on or off',
    },
  ),
  data_dir: option(
    z.string().min(1).default('./data'),
    'The directory of the embedded store, the secret generated in development, and pictures.',
    {
      env: 'LICET_DATA_DIR',
    },
  ),
  secret: option(
    rootSecrets.optional(),
    'The root secret: seals what is stored and signs cookies; several, the current one first, while it is rotated.',
    {
      env: 'LICET_SECRET',
      secret: true,
      takes: 'text of at least 32 characters, or several',
      unset: 'generated into <data_dir>/secret in development; required in production',
    },
  ),
  workers: option(wholeNumber(1, 64).optional(), 'Server processes sharing the port.', {
    env: 'LICET_WORKERS',
    takes: 'number',
    unset: '1 on SQLite, the number of cores on Redis',
  }),
  trusted_proxies: option(
    listOf(network()).prefault([]),
    'Networks whose Forwarded and X-Forwarded-* headers are believed; the right-most untrusted hop wins.',
    {
      env: 'LICET_TRUSTED_PROXIES',
      takes: 'list of networks',
    },
  ),
  smtp_url: option(smtpUrl.optional(), 'Outgoing mail.', {
    env: 'LICET_SMTP_URL',
    secret: true,
    takes: 'smtp URL',
    unset: 'none: the development mailbox',
  }),
  mail_from: option(address.optional(), 'The sender of outgoing mail.', {
    env: 'LICET_MAIL_FROM',
    takes: 'e-mail address',
    unset: 'no-reply@<host of the issuer>',
  }),
  mailbox: option(
    onOff().optional(),
    'Keep outgoing mail in the development mailbox at /dev/mailbox instead of sending it; off in production.',
    {
      env: 'LICET_MAILBOX',
      takes: 'on or off',
      unset: 'on when smtp_url is not set',
    },
  ),
  playground: option(onOff().optional(), 'Serve the playground at /playground; off in production.', {
    env: 'LICET_PLAYGROUND',
    takes: 'on or off',
    unset: 'on in development',
  }),
  metrics_token: option(
    z.string().min(16, { error: 'at least 16 characters' }).optional(),
    'Lets /metrics answer others than loopback, as a bearer token.',
    {
      env: 'LICET_METRICS_TOKEN',
      secret: true,
      takes: 'text of at least 16 characters',
      unset: 'none: loopback only',
    },
  ),
  log_level: option(
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    'How much the log says.',
    { env: 'LICET_LOG_LEVEL' },
  ),
  debug: option(debug.prefault('off'), 'Adds reasons to error answers; in production only as `unsafe`.', {
    env: 'LICET_DEBUG',
    takes: 'on, off or unsafe',
  }),
}
