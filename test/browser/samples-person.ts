/**
 * What samples of sign-in and settings pages share: a person, a factor that is being set up, a passkey ceremony.
 */
export const account = { email: 'ada@example.test', name: 'Ada Lovelace' }
export const asked = (action: string) => ({ action, handle: 'sealed', options: '{"challenge":"AAAA"}' })
/** 29 by 29 modules, as a set-up has them. */
const qrSvg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29"><path d="M0 0h29v29H0z" fill="#fff"/><path d="M2 2h7v7H2zM20 2h7v7h-7zM2 20h7v7H2zM12 12h5v5h-5z" fill="#000"/></svg>`
export const totp = { key: 'JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP', qrSvg }
export const codes = Array.from({ length: 10 }, (_none, at) => `K7Q2${'ABCDEFGHIJ'[at]}-M4XZ${'ABCDEFGHIJ'[at]}`)
