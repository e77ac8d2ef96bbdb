export default { pages: ['pages/me/me'], window: { navigationBarTitleText: '我' } }
