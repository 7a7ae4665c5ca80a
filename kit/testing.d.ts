/** Types of `testing.js`; what each does is written there. */

export interface TestToken {
  readonly sub?: string
  readonly clientId?: string
  /** The resource; by default the server's own API. */
  readonly audience?: string
  readonly scope?: string | readonly string[]
  readonly expiresInSeconds?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  /** When the person signed in, seconds since 1970. */
  readonly authTime?: number
  /** Thumbprint of the DPoP key that the token is bound to. */
  readonly jkt?: string
  /** Further claims; they win. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface TestMail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly links: readonly string[]
  readonly at: number
}

export interface TestLicet extends AsyncDisposable {
  readonly issuer: string
  readonly audience: string
  createAccount(fields?: {
    readonly email?: string
    readonly name?: string
    readonly password?: string
    readonly attributes?: Readonly<Record<string, unknown>>
  }): Promise<{ readonly id: string; readonly email: string; readonly name: string }>
  createApp(fields?: {
    readonly name?: string
    readonly type?: 'web' | 'spa' | 'native' | 'device' | 'service'
    readonly redirectUris?: readonly string[]
    readonly scopes?: readonly string[]
    readonly optionalScopes?: readonly string[]
    readonly firstParty?: boolean
    readonly resourceServer?: string
  }): Promise<{ readonly clientId: string; readonly clientSecret?: string }>
  mintAccessToken(fields?: TestToken): Promise<string>
  mintBadTokens(fields?: TestToken): Promise<Readonly<Record<string, string>>>
  mails(): Promise<readonly TestMail[]>
  close(): Promise<void>
}

export function startLicet(options?: {
  readonly settings?: Readonly<Record<string, unknown>>
  readonly port?: number
  readonly now?: () => number
}): Promise<TestLicet>
