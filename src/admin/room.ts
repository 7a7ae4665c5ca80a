/**
 * What every room of the administration has in common: who may enter, and how its pages are drawn.
 */
import type { Account } from '../accounts/account.ts'
import type { AccessRule, Answer } from '../http/route.ts'
import type { ViewName, Views } from '../http/views.ts'

/** An administrator who has signed in recently in this browser. */
export interface Administrator {
  readonly account: Account
}

type AdminView = Extract<ViewName, `admin/${string}`>

export interface AdminRoom<A extends Administrator> {
  readonly access: { readonly page: AccessRule<A>; readonly form: AccessRule<A> }
  /** Draws a page with the navigation around it. */
  readonly draw: <V extends AdminView>(view: V, person: A, model: Omit<Views[V], 'shell'>) => Answer
}
