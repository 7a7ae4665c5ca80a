/**
 * A TCP proxy on loopback between a server and its store, which spoils the traffic on demand: late answers, resets, silence, and answers that
 * are lost after the store has executed the request. It understands nothing of what it carries but a pattern to wait for.
 */
import { connect, createServer, type Socket } from 'node:net'

export interface Spoiling {
  /** Added to every answer. */
  readonly delayMs?: number
  /** For every piece that is carried: the chance that both connections are reset instead, before or after the store sees it. */
  readonly resetChance?: number
  /** Nothing is carried any more, in either direction; connections stay open, and silent for ever, and new ones are taken. */
  readonly isSilent?: boolean
}

export interface TcpProxy {
  readonly port: number
  /** From now on, for connections that are open too. */
  spoil(spoiling: Spoiling): void
  /**
   * The next request that matches reaches the store; its answer does not come back and the connection is reset. Resolves when that
   * has happened.
   */
  loseAnswerOf(pattern: RegExp): Promise<void>
  /** Resets so far. */
  resets(): number
  close(): Promise<void>
}

interface Wire {
  readonly near: Socket
  readonly far: Socket
  isDead: boolean
  /** Answers on their way, and when each is due. */
  readonly waiting: { readonly piece: Buffer; readonly at: number }[]
  timer: NodeJS.Timeout | undefined
}

/** `random` decides about resets: 0 to 1. */
export async function startTcpProxy(target: { host: string; port: number }, random: () => number): Promise<TcpProxy> {
  const wires = new Set<Wire>()
  let spoiling: Spoiling = {}
  let trap: { pattern: RegExp; sprung: () => void } | undefined
  let resets = 0

  const reset = (wire: Wire): void => {
    if (!wires.delete(wire)) return
    resets += 1
    wire.near.resetAndDestroy()
    wire.far.resetAndDestroy()
  }

  const isDead = (wire: Wire): boolean => {
    wire.isDead ||= spoiling.isSilent === true
    return wire.isDead
  }

  const isUnlucky = () => random() < (spoiling.resetChance ?? 0)

  /** What the server sends to the store. */
  const outward = (wire: Wire, piece: Buffer): void => {
    if (isDead(wire)) return
    if (isUnlucky()) {
      reset(wire)
      return
    }
    const caught = trap?.pattern.test(piece.toString('latin1')) ? trap : undefined
    if (!caught) {
      wire.far.write(piece)
      return
    }
    trap = undefined
    // The store answers when it has executed; that answer is the sign, and goes nowhere.
    wire.far.removeAllListeners('data')
    wire.far.once('data', () => {
      reset(wire)
      caught.sprung()
    })
    wire.far.write(piece)
  }

  /** In the order in which it came, whatever the timers do and also when the delay has been taken away meanwhile. */
  const passOn = (wire: Wire): void => {
    for (let [first] = wire.waiting; first; [first] = wire.waiting) {
      const left = first.at - performance.now()
      if (left > 0) {
        wire.timer ??= setTimeout(() => {
          wire.timer = undefined
          passOn(wire)
        }, left)
        return
      }
      wire.waiting.shift()
      if (wires.has(wire) && !isDead(wire)) wire.near.write(first.piece)
    }
  }

  /** What the store answers. */
  const homeward = (wire: Wire, piece: Buffer): void => {
    if (isDead(wire)) return
    if (isUnlucky()) {
      reset(wire)
      return
    }
    wire.waiting.push({ piece, at: performance.now() + (spoiling.delayMs ?? 0) })
    passOn(wire)
  }

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ ...target, noDelay: true })
    const wire: Wire = { near, far, isDead: false, waiting: [], timer: undefined }
    wires.add(wire)
    near.on('data', (piece) => outward(wire, piece))
    far.on('data', (piece) => homeward(wire, piece))
    for (const socket of [near, far]) {
      // An end is carried on, unless the line is dead: then nobody hears of it.
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        if (isDead(wire)) return
        wires.delete(wire)
        near.destroy()
        far.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    port: (server.address() as { port: number }).port,
    spoil(next) {
      spoiling = next
    },
    loseAnswerOf: (pattern) =>
      new Promise((resolve) => {
        trap = { pattern, sprung: resolve }
      }),
    resets: () => resets,
    async close() {
      spoiling = {}
      for (const { near, far } of wires) {
        near.destroy()
        far.destroy()
      }
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
