import assert from 'node:assert/strict'
import { pbkdf2Sync, scryptSync } from 'node:crypto'
import { test } from 'node:test'
import type { AccountRecord } from '../../src/accounts/account.ts'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { createAuthenticate } from '../../src/accounts/authenticate.ts'
import { readImportedHash } from '../../src/accounts/imported-hashes.ts'
import { openTestStore, operator } from '../support/open-store.ts'

const password = 'correct horse battery'
const salt = Buffer.from('a salt of 16 b..')
const bare = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')
const adapted = (bytes: Buffer) => bare(bytes).replaceAll('+', '.')
const pbkdf2 = (name: string, rounds: number) => pbkdf2Sync(password, salt, rounds, 32, name)

const digests = {
  scrypt: `$scrypt$ln=10,r=8,p=1$${bare(salt)}$${bare(scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 }))}`,
  'PBKDF2, PHC': `$pbkdf2-sha512$i=1000,l=32$${bare(salt)}$${bare(pbkdf2('sha512', 1000))}`,
  'PBKDF2, passlib': `$pbkdf2-sha256$1000$${adapted(salt)}$${adapted(pbkdf2('sha256', 1000))}`,
  'PBKDF2, Django': `pbkdf2_sha256$1000$${salt}$${pbkdf2('sha256', 1000).toString('base64')}`,
}

test('bcrypt digests of the published vectors are checked', async () => {
  const vectors = [
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
    ['', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy'],
  ] as const
  for (const [text, digest] of vectors) {
    const check = readImportedHash(digest)
    assert.deepEqual([await check?.(Buffer.from(text)), await check?.(Buffer.from('wrong'))], [true, false])
  }
})

for (const [name, digest] of Object.entries(digests)) {
  test(`a ${name} digest is checked, and replaced by the first sign-in`, async (t) => {
    const desk = openTestStore(t)
    const accounts = createAccounts(desk)
    const authenticate = createAuthenticate({ ...desk, limit: null })
    const { id } = await accounts.create(operator, { email: 'ada@example.com', passwordDigest: digest })
    const stored = async () => (await desk.store.find<AccountRecord>('account', id))?.value
    assert.ok(!(await authenticate({ email: 'ada@example.com', password: 'wrong password' })).ok)
    assert.equal((await stored())?.passwordDigest, digest)
    assert.ok((await authenticate({ email: 'ada@example.com', password })).ok)
    assert.match((await stored())?.passwordDigest ?? '', /^\$argon2id\$/)
    assert.equal((await stored())?.epoch, 0)
    assert.ok((await authenticate({ email: 'ada@example.com', password })).ok)
  })
}

test('DO attack: a digest that would cost a sign-in seconds or gigabytes, or is bent, is not read', () => {
  const hash = bare(Buffer.alloc(32))
  const bent = [
    '',
    'plain text',
    '$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    '$2a$05$short',
    '$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    `$scrypt$ln=30,r=8,p=1$${bare(salt)}$${hash}`,
    `$scrypt$ln=10,r=8,p=99$${bare(salt)}$${hash}`,
    `$scrypt$ln=0,r=0,p=0$${bare(salt)}$${hash}`,
    `$pbkdf2-sha256$i=9999999$${bare(salt)}$${hash}`,
    `$pbkdf2-sha256$i=0$${bare(salt)}$${hash}`,
    `$pbkdf2-md5$i=1000$${bare(salt)}$${hash}`,
    `$pbkdf2-sha256$i=1000$${bare(salt)}$AAAA`,
    `$pbkdf2-sha256$i=1000$${bare(salt)}$`,
    'x'.repeat(100_000),
  ]
  for (const digest of bent) assert.equal(readImportedHash(digest), undefined, digest.slice(0, 60))
})
