// What the client's files need of a module loader: see the README of the client.
window.modules = {}
window.module = { set exports(made) { modules['./' + document.currentScript.src.match(/(\w+)\.js$/)[1]] = made } }
window.require = name => modules[name]
