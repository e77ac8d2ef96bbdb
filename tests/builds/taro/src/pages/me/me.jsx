import { useState } from 'react'
import { Button, Text, View } from '@tarojs/components'
import { session } from '../../session'

export default function Me() {
  const [told, setTold] = useState('')

  async function ask(count) {
    setTold('…')
    const requests = Array.from({ length: count }, () => session.request({ url: '/me' }))
    setTold(await Promise.all(requests).then(
      answers => `${count} × ${[...new Set(answers.map(({ data }) => data.openid))].join(' ')}`,
      error => error.reason,
    ))
  }

  return (
    <View>
      <Text id='told'>{told}</Text>
      <Button id='one' onClick={() => ask(1)}>我是谁</Button>
      <Button id='twenty' onClick={() => ask(20)}>二十个请求</Button>
    </View>
  )
}
