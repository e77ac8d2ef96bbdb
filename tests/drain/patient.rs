//! A client over HTTP/1.1 that looks at the answer only after it has sent all of its request, as
//! many do.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub length: usize,
}

impl Request {
    pub fn post(path: impl Into<String>, length: usize) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            headers: Vec::new(),
            length,
        }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            ..Self::post(path, 0)
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: test\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.length > 0 {
            head.push_str(&format!("content-length: {}\r\n", self.length));
        }
        head + "\r\n"
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub head: String,
    pub body: String,
}

/// A client that keeps its connection as long as the server does.
pub struct Client {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
    /// How often it had to connect.
    pub connections: usize,
}

impl Client {
    pub fn new(port: u16) -> Self {
        Self {
            port,
            connection: None,
            connections: 0,
        }
    }

    pub fn send(&mut self, request: &Request) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let stream = connection.get_mut();
        stream.write_all(request.head().as_bytes())?;
        stream.write_all(&vec![b'x'; request.length])?;
        let answer = read(&mut connection)?;
        if !answer.head.contains("connection: close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    fn connect(&mut self) -> io::Result<BufReader<TcpStream>> {
        self.connections += 1;
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(BufReader::new(stream))
    }
}

/// Reads an answer with a declared length.
pub fn read(connection: &mut impl BufRead) -> io::Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    connection.read_exact(&mut body)?;
    Ok(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: String::from_utf8(body).unwrap(),
        head,
    })
}
