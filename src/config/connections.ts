/**
 * The option about the services that people have connected at the operator's platform: which there are, as a list for everybody or from a hook that is
 * asked for each person. Apps ask for single ones by `authorization_details` of type `connection` (RFC 9396).
 */
import { z } from 'zod'
import { milliseconds, option, webUrl, words } from './values.ts'

const connection = z.strictObject({
  id: option(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: '1 to 64 letters, digits and . _ -' }),
    'What apps name it by.',
  ),
  name: option(words(60), 'What people read on the consent page.'),
  icon: option(
    z
      .string()
      .regex(/^data:image\/(?:png|webp);base64,[A-Za-z0-9+/=]{1,16384}$/, {
        error: 'a PNG or WebP picture of at most 12 kB as a data: address',
      })
      .optional(),
    'A small picture beside the name, as a `data:` address.',
    { takes: 'data: address' },
  ),
})

const hook = z
  .strictObject({
    url: option(webUrl(), 'Gets POST {account} and answers {connections: [{id, name, icon?}]}.', {
      takes: 'https URL',
    }),
    timeout: option(milliseconds('50ms', '5s').prefault('1s'), 'How long the consent page waits for the answer.', {
      takes: 'duration',
    }),
    secret: option(
      z.string().min(16, { error: 'at least 16 characters' }).optional(),
      'Signs the request body (HMAC-SHA-256).',
      { secret: true },
    ),
    secret_file: option(z.string().optional(), 'A file that holds the secret.'),
  })
  .transform((file) => ({ url: file.url, timeoutMs: file.timeout, secret: file.secret }))

const connections = z
  .strictObject({
    list: option(z.array(connection).default([]), 'The same for everybody.'),
    hook: option(hook.optional(), 'An HTTPS endpoint of yours that is asked instead, for each person.'),
  })
  .transform((file) => ({
    list: file.list.map(({ id, name, icon }) => ({ id, name, ...(icon === undefined ? {} : { icon }) })),
    hook: file.hook,
  }))

/** Every option of this topic, as the file names them. */
export const connectionOptions = {
  connections: option(
    connections.optional(),
    'Services that people have connected, for apps that ask for single ones (`authorization_details` of type `connection`).',
    { unset: 'no app can ask for single connections' },
  ),
}
