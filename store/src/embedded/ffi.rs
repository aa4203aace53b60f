//! The only unsafe file: the handful of C functions of `libchdb` that we use, and three of the operating system's.
//!
//! `chdb.h` is not in the package, so the functions are declared here by hand, after chdb 26.x. The library is never
//! unloaded: its threads live as long as the process, and unloading code under them crashes. A connection takes one
//! statement at a time, which `&mut self` enforces; a stream borrows its connection until it is done.
#![expect(
    unsafe_code,
    reason = "libchdb is a C library; this is the one file that calls it"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use libloading::Library;

type Handle = *mut c_void;

/// The functions, as long as the process lives.
struct Api {
    set_signal_handlers_enabled: unsafe extern "C" fn(c_int),
    connect: unsafe extern "C" fn(c_int, *const *const c_char) -> *mut Handle,
    query: QueryFn,
    result_buffer: unsafe extern "C" fn(Handle) -> *const u8,
    result_length: unsafe extern "C" fn(Handle) -> usize,
    result_error: unsafe extern "C" fn(Handle) -> *const c_char,
    destroy_result: unsafe extern "C" fn(Handle),
    insert: unsafe extern "C" fn(Handle, *const u8, usize, *const u8, usize) -> Handle,
    insert_append: unsafe extern "C" fn(Handle, *const u8, usize) -> c_int,
    insert_done: unsafe extern "C" fn(Handle) -> Handle,
    insert_error: unsafe extern "C" fn(Handle) -> *const c_char,
    destroy_insert: unsafe extern "C" fn(Handle),
}

/// `connection, query, length, format, length, names, lengths, values, lengths, count`.
type QueryFn = unsafe extern "C" fn(
    Handle,
    *const u8,
    usize,
    *const u8,
    usize,
    *const *const u8,
    *const usize,
    *const *const u8,
    *const usize,
    usize,
) -> Handle;

/// The loaded library.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    api: &'static Api,
}

/// One connection: one statement at a time.
pub(crate) struct Connection {
    api: &'static Api,
    handle: Handle,
}

// SAFETY: the library lets a connection be used from any thread, one at a time; `&mut self` sees to the latter.
unsafe impl Send for Connection {}

/// The result of a statement, or one chunk of it.
pub(crate) struct QueryResult {
    api: &'static Api,
    handle: Handle,
}

/// An `INSERT` whose rows come in pieces; dropped before [`InsertStream::finish`], it inserts nothing more.
pub(crate) struct InsertStream<'c> {
    connection: &'c mut Connection,
    handle: Handle,
}

impl Engine {
    /// Loads `libchdb.so` and keeps its hands off our signals.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: the file is the one that the operator named; its initialisers are those of ClickHouse.
        let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
        let library: &'static Library = Box::leak(Box::new(library));
        let api = Api::resolve(library).map_err(|error| error.to_string())?;
        // SAFETY: takes a flag, keeps no pointer.
        unsafe { (api.set_signal_handlers_enabled)(0) };
        Ok(Self {
            api: Box::leak(Box::new(api)),
        })
    }

    /// A new connection to the engine that `arguments` describe; the first one starts it.
    pub(crate) fn connect(self, arguments: &[CString]) -> Result<Connection, String> {
        let pointers: Vec<*const c_char> = arguments.iter().map(|text| text.as_ptr()).collect();
        // SAFETY: `pointers` are NUL-terminated texts that outlive the call; the library copies them.
        let connection = unsafe { (self.api.connect)(pointers.len() as c_int, pointers.as_ptr()) };
        if connection.is_null() {
            return Err("the engine could not open its data folder; see its log".to_owned());
        }
        Ok(Connection {
            api: self.api,
            // SAFETY: a connection that is not null points at the handle that statements take.
            handle: unsafe { *connection },
        })
    }
}

impl Api {
    fn resolve(library: &'static Library) -> Result<Self, libloading::Error> {
        // SAFETY: the types are those that chdb 26.x exports these names with.
        unsafe {
            Ok(Self {
                set_signal_handlers_enabled: *library.get(b"chdb_set_signal_handlers_enabled\0")?,
                connect: *library.get(b"chdb_connect\0")?,
                query: *library.get(b"chdb_query_with_params_n\0")?,
                result_buffer: *library.get(b"chdb_result_buffer\0")?,
                result_length: *library.get(b"chdb_result_length\0")?,
                result_error: *library.get(b"chdb_result_error\0")?,
                destroy_result: *library.get(b"chdb_destroy_query_result\0")?,
                insert: *library.get(b"chdb_stream_insert_n\0")?,
                insert_append: *library.get(b"chdb_stream_append\0")?,
                insert_done: *library.get(b"chdb_stream_done\0")?,
                insert_error: *library.get(b"chdb_stream_insert_error\0")?,
                destroy_insert: *library.get(b"chdb_destroy_insert_stream\0")?,
            })
        }
    }
}

impl Connection {
    /// Runs any statement but an `INSERT` with data, and waits for its whole result.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        format: &str,
        params: &[(String, String)],
    ) -> Result<QueryResult, String> {
        let result = QueryResult {
            api: self.api,
            handle: self.start(sql, format, params),
        };
        result.check().map(|()| result)
    }

    /// Starts an `INSERT` whose rows follow in `format`.
    pub(crate) fn insert(&mut self, sql: &str, format: &str) -> Result<InsertStream<'_>, String> {
        // SAFETY: both texts outlive the call; the library copies them.
        let handle = unsafe {
            (self.api.insert)(
                self.handle,
                sql.as_ptr(),
                sql.len(),
                format.as_ptr(),
                format.len(),
            )
        };
        let stream = InsertStream {
            connection: self,
            handle,
        };
        match stream.error() {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    fn start(&mut self, sql: &str, format: &str, params: &[(String, String)]) -> Handle {
        let names: Vec<_> = params.iter().map(|(name, _)| name.as_ptr()).collect();
        let name_lengths: Vec<_> = params.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<_> = params.iter().map(|(_, value)| value.as_ptr()).collect();
        let value_lengths: Vec<_> = params.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: every pointer comes with its length and outlives the call; the library copies what it keeps.
        unsafe {
            (self.api.query)(
                self.handle,
                sql.as_ptr(),
                sql.len(),
                format.as_ptr(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                params.len(),
            )
        }
    }
}

impl QueryResult {
    /// The bytes, in the format that was asked for.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer belongs to the result, has this length, and lives until the result is destroyed.
        unsafe {
            let length = (self.api.result_length)(self.handle);
            let buffer = (self.api.result_buffer)(self.handle);
            if buffer.is_null() || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts(buffer, length)
        }
    }

    fn check(&self) -> Result<(), String> {
        error_of(self.api, self.handle).map_or(Ok(()), Err)
    }
}

impl Drop for QueryResult {
    fn drop(&mut self) {
        // SAFETY: the handle came from the library and is destroyed once.
        unsafe { (self.api.destroy_result)(self.handle) };
    }
}

impl InsertStream<'_> {
    /// Hands over a piece of the rows; waits while the engine is behind.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), String> {
        // SAFETY: the library copies the bytes before it returns.
        let state = unsafe {
            (self.connection.api.insert_append)(self.handle, piece.as_ptr(), piece.len())
        };
        if state == 0 {
            return Ok(());
        }
        Err(self
            .error()
            .unwrap_or_else(|| "the engine refused the rows".to_owned()))
    }

    /// Ends the insert; the rows are stored when this returns.
    pub(crate) fn finish(self) -> Result<(), String> {
        let api = self.connection.api;
        let result = QueryResult {
            api,
            // SAFETY: the handle is live; the result is destroyed by its owner.
            handle: unsafe { (api.insert_done)(self.handle) },
        };
        result.check()
    }

    fn error(&self) -> Option<String> {
        // SAFETY: the text belongs to the stream, which is live, and is copied here.
        unsafe { text_of((self.connection.api.insert_error)(self.handle)) }
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle came from the library and is destroyed once; this cancels an insert that is not done.
        unsafe { (self.connection.api.destroy_insert)(self.handle) };
    }
}

fn error_of(api: &Api, result: Handle) -> Option<String> {
    // SAFETY: the text belongs to the result, which is live, and is copied here.
    unsafe { text_of((api.result_error)(result)) }
}

/// # Safety
/// `text` is null or NUL-terminated and live.
unsafe fn text_of(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promised.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// Asks the kernel to kill this process when the thread that started it ends, and says whether that thread lived on
/// until then: `parent` is still our parent.
pub(crate) fn die_with_parent(parent: u32) -> bool {
    // SAFETY: both calls take and give plain numbers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid() as u32 == parent
    }
}

/// Waits for an exclusive lock on `file`, or gives up at once if `wait` is not set.
pub(crate) fn lock_exclusively(file: &File, wait: bool) -> std::io::Result<()> {
    let how = libc::LOCK_EX | if wait { 0 } else { libc::LOCK_NB };
    // SAFETY: the descriptor is open while `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), how) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Ends the process without running the library's destructors under its own threads.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}
