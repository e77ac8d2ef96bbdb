const textOf = require('../../errors')

Page({
  data: { progress: 0, bytes: 0, error: '' },

  choose() {
    wx.chooseMedia({
      count: 1,
      mediaType: ['image'],
      success: ({ tempFiles }) => this.upload(tempFiles[0].tempFilePath),
    })
  },

  // 上传中会话到期也一样：登录一次，再传一次。
  upload(filePath) {
    this.setData({ progress: 0, bytes: 0, error: '' })
    return getApp().session.uploadFile({
      url: '/upload',
      filePath,
      name: 'photo',
      onTask: task => task.onProgressUpdate(({ progress }) => this.setData({ progress })),
    })
      .then(({ data }) => this.setData({ progress: 100, bytes: JSON.parse(data).bytes }))
      .catch(error => this.setData({ error: textOf(error) }))
  },
})
