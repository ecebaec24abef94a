// What goes into one bundle: the React bindings, the copy of the SDK that they use, and React itself.
export * from '@vaultrice/react'
export { NonLocalStorage } from '@vaultrice/sdk'
export { createElement } from 'react'
export { createRoot } from 'react-dom/client'
