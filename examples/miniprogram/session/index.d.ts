/** What asks the client for something, or tells it that asking is no use. */
export type Action = 'login' | 'retry' | 'none'

/** An answer with a status, in WeChat's words on every platform. */
export interface Answer<Data = any> {
  statusCode: number
  data: Data
  /** The case of the names is the phone's. */
  header: Record<string, any>
  /** Of a download. */
  tempFilePath?: string
  [more: string]: any
}

/** What every promise of a session rejects with. No token is in it. */
export interface SessionError extends Error {
  name: 'SessionError'
  /**
   * The server's, such as `user_blocked` or `store_unavailable`; or the client's own: `network`,
   * `logged_out`, `code_unavailable`, `login_unavailable`, `unauthorized`, `socket_refused`,
   * `socket_closed`, `foreign_address`.
   */
  reason: string
  action: Action
  /** 0 if there was no answer. */
  statusCode: number
  /** Seconds after which to try again, where the server named them; otherwise 0. */
  retryAfter: number
  errMsg: string
  /** The refusal itself, if the request was answered with one. */
  answer?: Answer
}

export interface Callbacks<Data = any> {
  success?(answer: Answer<Data>): void
  fail?(error: SessionError): void
  complete?(outcome: Answer<Data> | SessionError): void
}

export interface Sent {
  /** Absolute, or a path below `baseUrl`. Tokens go nowhere else. */
  url: string
  header?: Record<string, any>
  /** `false`: sent without a token, and never with a login. */
  session?: boolean
  /** Called with each task of the platform, for progress or to abort; the second time with another one. */
  onTask?(task: any): void
}

export interface RequestOptions<Data = any> extends Sent, Callbacks<Data> {
  method?: 'OPTIONS' | 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'TRACE' | 'CONNECT'
  data?: any
  timeout?: number
  /** Whatever else the platform takes. */
  [more: string]: any
}

export interface UploadOptions extends Sent, Callbacks<string> {
  /** The file, but for H5. */
  filePath?: string
  name?: string
  formData?: Record<string, any>
  /** On H5: a `FormData`. */
  data?: any
  [more: string]: any
}

export interface DownloadOptions extends Sent, Callbacks {
  filePath?: string
  [more: string]: any
}

export interface SocketOptions {
  url: string
  header?: Record<string, any>
  protocols?: string[]
  /** Called again after a login, with a new socket behind the same `Socket`. */
  onOpen?(event: any): void
  onMessage?(message: { data: string | ArrayBuffer }): void
  onError?(error: SessionError): void
  /** Called once, at the very end. */
  onClose?(closed: { code?: number; reason?: string }): void
  [more: string]: any
}

export interface Socket {
  /** From `onOpen` on. Before it, after the end and while it logs in again: `fail` gets a `SessionError`, `socket_closed`. */
  send(message: { data: string | ArrayBuffer; success?(result: any): void; fail?(error: any): void }): void
  close(how?: { code?: number; reason?: string }): void
}

/** What happened, for a log or a page that shows it. No token is in it. */
export interface SessionEvent {
  type: 'send' | 'answer' | 'fail' | 'wait' | 'login' | 'logged_in' | 'login_failed' | 'logged_out' | 'socket'
  /** Milliseconds, by the platform's clock. */
  at: number
  /** The same for all events of one request. */
  id?: number
  kind?: 'request' | 'uploadFile' | 'downloadFile'
  /** Without the query. */
  url?: string
  /** 1 or 2; of a login, the number of the code. */
  attempt?: number
  statusCode?: number
  reason?: string
  action?: Action
  seconds?: number
  expiresIn?: number
}

/** What a session needs of a platform. */
export interface Platform {
  request(options: any): any
  uploadFile(options: any): any
  downloadFile(options: any): any
  connectSocket(options: any): any
  /** A fresh login code, or what the login sends instead of `{ code }`. */
  getCode(): Promise<string | Record<string, any>>
  get(key: string): string | null | undefined
  set(key: string, text: string): void
  onShow?(listener: () => void): void
  socketToken: 'header' | 'query' | 'protocol'
  now?(): number
  setTimeout?(callback: () => void, milliseconds: number): any
}

export interface SessionOptions {
  platform: Platform
  /** Such as `https://api.example.com`. */
  baseUrl: string
  /** `/login` */
  loginPath?: string
  /** `/logout` */
  logoutPath?: string
  /** Sent with each code: `{ appid }` where the server knows several apps. */
  loginData?: Record<string, any>
  /** `session ` and the base URL. Sessions with the same key in one app are one session. */
  storageKey?: string
  /** Log in ahead if a session would be over in so many seconds, at most half of its time. 0: never. */
  renewBefore?: number
  /** The longest wait that the server may ask for, in seconds: 60. The client waits up to a quarter longer. */
  maxWait?: number
  /** Where a socket carries the token. The adapter's: `header`, on H5 `query`. */
  socketToken?: 'header' | 'query' | 'protocol'
  onEvent?(event: SessionEvent): void
}

export interface Session {
  /** Resolves with every answer that has a status, unless it is a refusal that remains one. */
  request<Data = any>(options: RequestOptions<Data>): Promise<Answer<Data>>
  uploadFile(options: UploadOptions): Promise<Answer<string>>
  downloadFile(options: DownloadOptions): Promise<Answer>
  connectSocket(options: SocketOptions): Socket
  /**
   * Logs in now, or waits for the login that is under way. After `logout` only this does. For a while after a
   * login that failed (1 s to 60 s, or the server's `Retry-After`) it rejects with the same error at once.
   */
  login(): Promise<void>
  /** Over at once on this device, open sockets too. Rejects if the server could not be reached, or refused; other answers resolve. */
  logout(): Promise<void>
  /** The token; empty if there is none. For what takes it elsewhere, such as `wx.setBackgroundFetchToken`. */
  token(): string
  on(listener: (event: SessionEvent) => void): void
  off(listener: (event: SessionEvent) => void): void
}

export function createSession(options: SessionOptions): Session

/** One for each platform; each takes the platform's own object. */
export const adapters: {
  wx(api: object): Platform
  qq(api: object): Platform
  tt(api: object): Platform
  swan(api: object): Platform
  ks(api: object): Platform
  uni(api: object): Platform
  taro(api: object): Platform
  my(api: object): Platform
  dd(api: object): Platform
  h5(browser: { getCode(): Promise<string | Record<string, any>>; window?: object }): Platform
}
