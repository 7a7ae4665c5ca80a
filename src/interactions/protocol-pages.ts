/**
 * The pages that the protocol shows by itself, drawn with our views: errors that cannot go back to an app, sign-out, device codes.
 * The protocol decides which; here only its facts are put into models.
 */
import { type ErrorCode, errorCodes } from '../errors.ts'
import { pageContext } from '../http/answer.ts'
import type { Renderer } from '../http/page.ts'
import type { HttpContext } from '../http/server.ts'
import type { ViewName, Views } from '../http/views.ts'
import type { Pages } from '../oidc/interaction.ts'
import { hostOf, shownApp } from './shown.ts'

type ProtocolContext = Parameters<Pages['leave']>[0]

interface PagesParts {
  readonly renderer: Pick<Renderer, 'render'>
  /** Our context of the request that the protocol is answering. */
  readonly contextOf: (request: object) => HttpContext
  /** The token of the language menu; the forms of these pages carry the protocol's own. */
  readonly issueCsrf: (ctx: HttpContext) => string
  /** The authorization that an expired page can start again. */
  readonly recall: (ctx: HttpContext) => { path: string } | undefined
}

export function createProtocolPages({ renderer, contextOf, recall, issueCsrf }: PagesParts): Pages {
  const show = <V extends ViewName>(ctx: ProtocolContext, view: V, model: Views[V], forms?: string): void => {
    ctx.type = 'text/html; charset=utf-8'
    const tokens = forms === undefined ? {} : { forms, language: issueCsrf(contextOf(ctx.req)) }
    ctx.body = renderer.render(view, model, pageContext(contextOf(ctx.req), tokens))
  }
  const showError = (ctx: ProtocolContext, code: string, detail: string, more: Partial<Views['error']> = {}): void => {
    const { title } = Object.hasOwn(errorCodes, code) ? errorCodes[code as ErrorCode] : errorCodes.invalid_request
    show(ctx, 'error', { code, title, detail, requestId: contextOf(ctx.req).state.requestId, ...more })
  }

  return {
    oauthError(ctx, { error, description, app, expired, toApp }) {
      const back = recall(contextOf(ctx.req))
      if (expired) {
        ctx.status = 410
        return show(ctx, 'interactions/expired', {
          ...(app ? { appName: app.name } : {}),
          ...(back ? { returnUrl: back.path } : {}),
        })
      }
      const code = ctx.status >= 500 ? 'internal' : 'invalid_request'
      showError(ctx, code, description ?? 'The app sent a request that cannot be answered.', {
        oauthError: error,
        ...(toApp ? { toApp: { url: toApp, host: hostOf(toApp) ?? toApp } } : {}),
      })
    },
    failed(ctx, { code, retryAfterSeconds }) {
      showError(ctx, code, errorCodes[code].title, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
    },
    leave: (ctx, url) => show(ctx, 'interactions/leave', { url }),
    signOut: (ctx, { action, xsrf, app }) =>
      show(ctx, 'interactions/sign-out', { action, hidden: {}, ...(app ? { appName: app.name } : {}) }, xsrf),
    signedOut: (ctx, app) => show(ctx, 'interactions/signed-out', app ? { appName: app.name } : {}),
    deviceCode(ctx, { action, xsrf, userCode, problem }) {
      const shown = problem && (problem === 'limited' ? { kind: problem, retryAfterSeconds: 60 } : { kind: problem })
      show(
        ctx,
        'interactions/device-code',
        { action, ...(userCode ? { userCode } : {}), ...(shown ? { problem: shown } : {}) },
        xsrf,
      )
    },
    deviceConfirm(ctx, { action, xsrf, userCode, app, ip, userAgent }) {
      show(ctx, 'interactions/device-confirm', { action, app: shownApp(app), userCode, ip, userAgent }, xsrf)
    },
    deviceDone(ctx, outcome, app) {
      show(ctx, 'interactions/device-done', {
        outcome: outcome === 'approved' ? 'allowed' : 'denied',
        ...(app ? { appName: app.name } : {}),
      })
    },
  }
}
