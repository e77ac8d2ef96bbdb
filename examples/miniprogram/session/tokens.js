// The token of this device: in memory, and in the platform's storage for the next start.

function createTokens({ platform, storageKey, now }) {
  const tokens = { token: '', isOut: false, epoch: 0, expiresIn: 0, usedAt: 0 }
  // The stored text that is no news. Where storing fails it stays the one before.
  let [storedAt, known] = [0, '']
  const stored = () => { try { return platform.get(storageKey) } catch (broken) { return known } }

  // A full storage costs a login at the next start, and nothing now.
  function write(changes) {
    const { token, isOut, expiresIn, usedAt } = Object.assign(tokens, changes)
    storedAt = usedAt
    try { platform.set(storageKey, JSON.stringify({ token, isOut, expiresIn, usedAt })) } catch (full) {}
    known = stored()
  }

  // Takes over what another page or tab has stored meanwhile.
  function read() {
    const text = stored()
    if (!text || text === known) return
    known = text
    const wasOut = tokens.isOut
    try { Object.assign(tokens, JSON.parse(text)) } catch (notOurs) {}
    if (tokens.isOut && !wasOut) tokens.epoch += 1
    storedAt = tokens.usedAt
  }

  // The server has accepted it. Written ten times in its idle timeout, and never over another tab's.
  function used() {
    tokens.usedAt = now()
    if (Math.abs(tokens.usedAt - storedAt) > tokens.expiresIn * 100 && stored() === known) write()
  }

  read()
  return Object.assign(tokens, {
    read,
    used,
    adopt: (token, seconds) => write({ token, expiresIn: Number(seconds) || 0, usedAt: now() }),
    // Stored, too: the next start logs nobody in who has logged out.
    leave: () => write({ token: '', isOut: true, epoch: tokens.epoch + 1 }),
    // Whether its end is less than so many seconds away, and half of its time is over. A clock that was set
    // back proves nothing.
    isOld: (seconds, life = tokens.expiresIn) => life > 0 && now() - tokens.usedAt > Math.max(life - seconds, life / 2) * 1000,
  })
}

module.exports = { createTokens }
